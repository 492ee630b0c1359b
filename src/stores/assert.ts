import { type Counters, MAX_USAGE_COUNTER } from '../otp/counters.js';
import { isPublicId } from '../otp/otp.js';
import type { NewKey } from './store.js';

/**
 * Checks a key before an engine stores it.
 *
 * @throws TypeError, which repeats neither the AES key nor the private ID.
 */
export function assertNewKey(key: NewKey): void {
  if (!isPublicId(key.publicId)) {
    throw new TypeError('publicId must be 0 to 16 modhex letters (cbdefghijklnrtuv), lower case');
  }
  if (!(key.aesKey instanceof Uint8Array)) {
    throw new TypeError('aesKey must be bytes (Uint8Array); parseAesKey() reads hex and base64');
  }
  if (key.privateId !== undefined && !(key.privateId instanceof Uint8Array)) {
    throw new TypeError("privateId must be bytes (Uint8Array), such as Buffer.from(hex, 'hex')");
  }
}

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
