import { timingSafeEqual } from 'node:crypto';
import { YubikeyError } from '../errors.js';
import { assertOptional, assertSignal } from '../options.js';
import { assertOtp, type Otp } from '../otp/otp.js';
import type { Token } from '../otp/token.js';
import type { KeyRecord, KeyStore } from '../stores/store.js';
import { AES_KEY_LENGTH } from './aes-key.js';
import { DECRYPT_OPTIONS, type DecryptOptions } from './ksm.js';
import { PRIVATE_ID_LENGTH } from './private-id.js';
import { TokenDeciphers } from './token-deciphers.js';
import { untilAborted } from './until-aborted.js';

/** A token and the key that decrypted it, or why no key does. */
export type OpenedOtp =
  | { readonly ok: true; readonly key: KeyRecord; readonly token: Token; readonly privateIdChecked: boolean }
  | { readonly ok: false; readonly reason: 'UNKNOWN_KEY' | 'CORRUPT_OTP' };

/** Decrypts OTPs with the keys of a store. Inactive keys count as unknown. */
export class OtpOpener {
  readonly #keys: Pick<KeyStore, 'get'>;
  readonly #deciphers = new TokenDeciphers();

  constructor(keys: Pick<KeyStore, 'get'>) {
    this.#keys = keys;
  }

  /**
   * Decrypts an OTP with its key as it is in the store now. If the key is stored with a private ID, compares it in
   * constant time. Resolves with the result of `read`.
   *
   * @throws YubikeyError `STORE_FAILED`, also if the signal fires, or `KEY_UNUSABLE` if the stored key has the wrong
   * length.
   */
  async open<Result>(
    otp: Otp,
    read: (opened: OpenedOtp) => Result,
    options: DecryptOptions = {},
  ): Promise<Result> {
    assertOtp(otp);
    assertOptional('decrypt()', options, DECRYPT_OPTIONS);
    assertSignal(options.signal);
    let key: KeyRecord | undefined;
    try {
      key = await untilAborted(this.#keys.get(otp.publicId), options.signal, keyStoreFailed);
    } catch (cause) {
      this.#deciphers.forgetAll();
      if (cause instanceof YubikeyError) throw cause;
      throw keyStoreFailed(cause);
    }
    return read(this.#decryptWith(key, otp));
  }

  #decryptWith(key: KeyRecord | undefined, otp: Otp): OpenedOtp {
    if (!key?.active) {
      this.#deciphers.forget(otp.publicId);
      return { ok: false, reason: 'UNKNOWN_KEY' };
    }
    assertUsable(key);
    const token = this.#deciphers.findOrCreate(key).decrypt(otp.token);
    if (!token) return { ok: false, reason: 'CORRUPT_OTP' };
    const privateIdChecked = key.privateId instanceof Uint8Array;
    if (privateIdChecked && !timingSafeEqual(token.privateId, key.privateId)) {
      return { ok: false, reason: 'CORRUPT_OTP' };
    }
    return { ok: true, key, token, privateIdChecked };
  }
}

function keyStoreFailed(cause: unknown): YubikeyError {
  return new YubikeyError('STORE_FAILED', 'The key store failed', { cause });
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
