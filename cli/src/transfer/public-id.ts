import { parseOtp, YubikeyError } from 'passport-yubikey-otp';
import { SetupError } from '../terminal/failure.js';
import { isPublicId } from './modhex.js';

/**
 * Parses a public ID from the command line. A whole OTP is refused, because others can read the command line, and the OTP
 * stays valid until it or a later one is used.
 *
 * @throws SetupError
 */
export function parsePublicId(text: string): string {
  if (isPublicId(text)) return text;
  const meant = findPublicId(text);
  throw new SetupError(
    meant === undefined
      ? 'A public ID has 0 to 16 of the letters cbdefghijklnrtuv, usually 12: the beginning of every OTP of the key'
      : `This is a whole OTP, which does not belong on a command line: give only its public ID, ${meant}`,
  );
}

/** Quotes the empty public ID for a command line, where it would be no argument. */
export function quotePublicId(publicId: string): string {
  return publicId || "''";
}

function findPublicId(text: string): string | undefined {
  try {
    return parseOtp(text).publicId;
  } catch (error) {
    if (error instanceof YubikeyError) return undefined;
    throw error;
  }
}
