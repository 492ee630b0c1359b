import type { Otp } from '../otp/otp.js';
import type { KeyStore } from '../stores/store.js';
import type { Decryption, DecryptOptions, Ksm } from './ksm.js';
import { type OpenedOtp, OtpOpener } from './open-otp.js';

/** Decrypts OTPs in this process with the AES keys of a key store. Inactive keys count as unknown. */
export class LocalKsm implements Ksm {
  readonly #opener: OtpOpener;

  /** @throws TypeError without a key store. */
  constructor(keys: Pick<KeyStore, 'get'>) {
    if (typeof keys?.get !== 'function') throw new TypeError('LocalKsm requires a key store');
    this.#opener = new OtpOpener(keys);
  }

  /**
   * Decrypts an OTP and compares its private ID in constant time.
   *
   * @throws YubikeyError `STORE_FAILED`, also if the signal fires, or `KEY_UNUSABLE` if the stored key has the wrong
   * length.
   */
  decrypt(otp: Otp, options: DecryptOptions = {}): Promise<Decryption> {
    return this.#opener.open(otp, toDecryption, options);
  }
}

function toDecryption(opened: OpenedOtp): Decryption {
  if (!opened.ok) return opened;
  const { token, privateIdChecked } = opened;
  return { ok: true, counters: token.counters, capsLock: token.capsLock, privateIdChecked };
}
