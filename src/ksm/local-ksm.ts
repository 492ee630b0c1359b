import type { Otp } from '../otp/otp.js';
import type { KeyStore } from '../stores/store.js';
import type { Decryption, Ksm } from './ksm.js';
import { openOtp } from './open-otp.js';

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
    const opened = await openOtp(this.#keys, otp);
    if (!opened.ok) return opened;
    const { counters, capsLock } = opened.token;
    return { ok: true, counters, capsLock, privateIdChecked: opened.privateIdChecked };
  }
}
