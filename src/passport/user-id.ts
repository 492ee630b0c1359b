import { YubikeyError } from '../errors.js';

/** Returns the id of a user: a string or a number that no other user has. */
export type UserId = (user: Express.User) => string | number | bigint;

/**
 * Reads the id of a user as text.
 *
 * @throws YubikeyError `USER_ID_MISSING`, so that two users without an id are never treated as the same user.
 */
export function readUserId(
  user: Express.User,
  userId: UserId = (user) => (user as { id: string }).id,
): string {
  let id: unknown;
  try {
    id = userId(user);
  } catch (cause) {
    throw idMissing({ cause });
  }
  const isUsable = typeof id === 'string' ? id !== '' : typeof id === 'bigint' || Number.isFinite(id);
  if (!isUsable) throw idMissing();
  return String(id);
}

function idMissing(options?: { cause: unknown }): YubikeyError {
  return new YubikeyError(
    'USER_ID_MISSING',
    'A second factor must tell users apart: give YubikeyStrategy and requireSecondFactor a userId option that returns a string or a number (default: user.id)',
    options,
  );
}
