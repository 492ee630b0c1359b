import { timingSafeEqual } from 'node:crypto';
import { YubikeyError } from '../errors.js';
import { assertOtp, type Otp } from '../otp/otp.js';
import { decryptToken } from '../otp/token.js';
import type { KeyRecord, KeyStore } from '../stores/store.js';
import type { Decryption, Ksm } from './ksm.js';

const AES_KEY_LENGTH = 16;
const PRIVATE_ID_LENGTH = 6;

/** Decrypts OTPs in this process, with the AES keys of a key store. Keys that are not active are unknown. */
export class LocalKsm implements Ksm {
  readonly #keys: Pick<KeyStore, 'get'>;

  /** @throws TypeError without a key store. */
  constructor(keys: Pick<KeyStore, 'get'>) {
    if (typeof keys?.get !== 'function') throw new TypeError('LocalKsm requires a key store');
    this.#keys = keys;
  }

  /**
   * Decrypts an OTP and compares its private ID in constant time.
   *
   * @throws YubikeyError `STORE_FAILED`, or `KEY_UNUSABLE` for a stored key of the wrong length.
   */
  async decrypt(otp: Otp): Promise<Decryption> {
    assertOtp(otp);
    const key = await this.keyOf(otp.publicId);
    if (!key?.active) return { ok: false, reason: 'UNKNOWN_KEY' };
    assertUsable(key);
    const token = decryptToken(otp.token, key.aesKey);
    if (!token) return { ok: false, reason: 'CORRUPT_OTP' };
    const privateIdChecked = key.privateId instanceof Uint8Array;
    if (privateIdChecked && !timingSafeEqual(token.privateId, key.privateId)) {
      return { ok: false, reason: 'CORRUPT_OTP' };
    }
    const { counters, capsLock } = token;
    return { ok: true, counters, capsLock, privateIdChecked };
  }

  private async keyOf(publicId: string): Promise<KeyRecord | undefined> {
    try {
      return await this.#keys.get(publicId);
    } catch (cause) {
      if (cause instanceof YubikeyError) throw cause;
      throw new YubikeyError('STORE_FAILED', 'The key store failed', { cause });
    }
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
