import { timingSafeEqual } from 'node:crypto';
import { YubikeyError } from '../errors.js';
import { assertOtp, type Otp } from '../otp/otp.js';
import { decryptToken, type Token } from '../otp/token.js';
import type { KeyRecord, KeyStore } from '../stores/store.js';
import { AES_KEY_LENGTH } from './aes-key.js';

const PRIVATE_ID_LENGTH = 6;

/** A token, and the key that opened it; or why none does. */
export type OpenedOtp =
  | { readonly ok: true; readonly key: KeyRecord; readonly token: Token; readonly privateIdChecked: boolean }
  | { readonly ok: false; readonly reason: 'UNKNOWN_KEY' | 'CORRUPT_OTP' };

/**
 * Decrypts an OTP with a stored key and compares its private ID in constant time, where the key is stored with one.
 * Keys that are not active are unknown.
 *
 * @throws YubikeyError `STORE_FAILED`, or `KEY_UNUSABLE` for a stored key of the wrong length.
 */
export async function openOtp(keys: Pick<KeyStore, 'get'>, otp: Otp): Promise<OpenedOtp> {
  assertOtp(otp);
  const key = await keyOf(keys, otp.publicId);
  if (!key?.active) return { ok: false, reason: 'UNKNOWN_KEY' };
  assertUsable(key);
  const token = decryptToken(otp.token, key.aesKey);
  if (!token) return { ok: false, reason: 'CORRUPT_OTP' };
  const privateIdChecked = key.privateId instanceof Uint8Array;
  if (privateIdChecked && !timingSafeEqual(token.privateId, key.privateId)) {
    return { ok: false, reason: 'CORRUPT_OTP' };
  }
  return { ok: true, key, token, privateIdChecked };
}

async function keyOf(keys: Pick<KeyStore, 'get'>, publicId: string): Promise<KeyRecord | undefined> {
  try {
    return await keys.get(publicId);
  } catch (cause) {
    if (cause instanceof YubikeyError) throw cause;
    throw new YubikeyError('STORE_FAILED', 'The key store failed', { cause });
  }
}

/** @throws YubikeyError `KEY_UNUSABLE` for an AES key or a private ID of the wrong length. */
export function assertUsable({ publicId, aesKey, privateId }: KeyRecord): void {
  if (aesKey.length !== AES_KEY_LENGTH) {
    throw new YubikeyError(
      'KEY_UNUSABLE',
      `The AES key stored for ${publicId} is not ${AES_KEY_LENGTH} bytes`,
    );
  }
  if (privateId && privateId.length !== PRIVATE_ID_LENGTH) {
    throw new YubikeyError(
      'KEY_UNUSABLE',
      `The private ID stored for ${publicId} is not ${PRIVATE_ID_LENGTH} bytes`,
    );
  }
}
