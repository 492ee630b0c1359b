import { type Counters, MAX_USAGE_COUNTER } from '../otp/counters.js';

/**
 * Checks what a row is found by: calls that come together share a message to the database, and would all fail with one
 * that it does not take; libsql even ends the process. PostgreSQL has no NUL in a text, and UTF-8 no half of a
 * surrogate pair.
 *
 * @throws TypeError
 */
export function assertId(id: string): void {
  assertText('An id', id);
}

/** The same for what is stored beside it. */
export function assertText(name: string, text: string): void {
  if (typeof text !== 'string' || text.includes('\0') || /\p{Cs}/u.test(text)) {
    throw new TypeError(`${name} must be text, without NUL and without half of a surrogate pair`);
  }
}

/**
 * Checks what `advance` is given before an engine compares it, since a row that is too high refuses every later OTP.
 *
 * @throws RangeError for counters that no key has, TypeError for an id or a nonce that is no text.
 */
export function assertAdvance(
  publicId: string,
  { usageCounter, sessionUse, timestamp }: Counters,
  nonce: string | undefined,
): void {
  assertId(publicId);
  if (nonce !== undefined) assertText('A nonce', nonce);
  assertRange('usageCounter', usageCounter, MAX_USAGE_COUNTER);
  assertRange('sessionUse', sessionUse, 0xff);
  assertRange('timestamp', timestamp, 0xff_ffff);
}

function assertRange(name: string, value: number, most: number): void {
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw new RangeError(`${name} must be a whole number from 0 to ${most}, not ${value}`);
  }
}
