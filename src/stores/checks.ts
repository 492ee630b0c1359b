import { assertCounters, type Counters } from '../otp/counters.js';

/**
 * Checks the id of a row. Concurrent calls share one message to the database, so an id that the database rejects would
 * fail all of them; libsql even ends the process. PostgreSQL allows no NUL in text, and UTF-8 no lone surrogate.
 *
 * @throws TypeError
 */
export function assertId(id: string): void {
  assertText('An id', id);
}

/** Checks text that is stored with a row, as {@link assertId} checks its id. */
function assertText(name: string, text: string): void {
  if (typeof text !== 'string' || text.includes('\0') || /\p{Cs}/u.test(text)) {
    throw new TypeError(`${name} must be text without NUL characters and lone surrogates`);
  }
}

/**
 * Checks the arguments of `advance` before an engine compares them: a row with counters that are too high would refuse
 * every later OTP.
 *
 * @experimental
 * @throws RangeError for counters out of range, TypeError for an id or a nonce that is not text.
 */
export function assertAdvance(publicId: string, counters: Counters, nonce: string | undefined): void {
  assertId(publicId);
  if (nonce !== undefined) assertText('A nonce', nonce);
  assertCounters(counters);
}
