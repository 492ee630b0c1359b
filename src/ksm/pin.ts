import { timingSafeEqual } from 'node:crypto';
import { assertOtp, type Otp } from '../otp/otp.js';
import { decryptToken } from '../otp/token.js';
import type { KeyStore } from '../stores/store.js';
import { assertUsable } from './open-otp.js';

/** What became of a key whose private ID was to be pinned. */
export type Pinning = 'PINNED' | 'ALREADY_PINNED' | 'UNKNOWN_KEY' | 'CORRUPT_OTP';

/**
 * Takes the private ID of a key that was stored without one from an OTP of it, which somebody gave who may enrol
 * keys: from then on it is compared. Accept the OTP in your counter store too, so that it is used up.
 *
 * A key that has a private ID is left as it is: `ALREADY_PINNED` where it is the OTP's, else `CORRUPT_OTP`. What
 * else changes the key at the same moment stays: it is disabled, deleted or sealed anew as if alone.
 *
 * @throws YubikeyError `KEY_UNUSABLE` for a stored key of the wrong length, and what the store throws.
 */
export async function pinPrivateId(keys: Pick<KeyStore, 'get' | 'replace'>, otp: Otp): Promise<Pinning> {
  assertOtp(otp);
  for (;;) {
    const key = await keys.get(otp.publicId);
    if (!key) return 'UNKNOWN_KEY';
    assertUsable(key);
    const privateId = decryptToken(otp.token, key.aesKey)?.privateId;
    if (!privateId) return 'CORRUPT_OTP';
    if (key.privateId) return timingSafeEqual(privateId, key.privateId) ? 'ALREADY_PINNED' : 'CORRUPT_OTP';
    if (await keys.replace(key, { privateId })) return 'PINNED';
  }
}
