import { type Counters, MAX_USAGE_COUNTER } from '../otp/counters.js';

/**
 * Checks counters before an engine compares them, since a row that is too high refuses every later OTP.
 *
 * @throws RangeError
 */
export function assertCounters({ usageCounter, sessionUse, timestamp }: Counters): void {
  assertRange('usageCounter', usageCounter, MAX_USAGE_COUNTER);
  assertRange('sessionUse', sessionUse, 0xff);
  assertRange('timestamp', timestamp, 0xff_ffff);
}

function assertRange(name: string, value: number, most: number): void {
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw new RangeError(`${name} must be a whole number from 0 to ${most}, not ${value}`);
  }
}
