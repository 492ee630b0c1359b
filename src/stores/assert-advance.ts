import { type Counters, MAX_USAGE_COUNTER } from '../otp/counters.js';
import { assertId, assertText } from './assert-id.js';

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
