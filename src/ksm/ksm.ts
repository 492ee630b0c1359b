import type { OptionNames } from '../options.js';
import type { Counters } from '../otp/counters.js';
import type { Otp } from '../otp/otp.js';

/** What a KSM says of an OTP. It does not say whether the OTP is fresh: the counters do, once compared. */
export type Decryption =
  | {
      readonly ok: true;
      readonly counters: Counters;
      /** Whether caps lock triggered the key. */
      readonly capsLock: boolean;
      /** Whether the private ID was compared; without that, one random token in 65,536 passes. */
      readonly privateIdChecked: boolean;
    }
  | { readonly ok: false; readonly reason: 'UNKNOWN_KEY' | 'CORRUPT_OTP' | 'REPLAYED_OTP' };

export interface DecryptOptions {
  /** Ends the wait. */
  signal?: AbortSignal | undefined;
}

export const DECRYPT_OPTIONS: OptionNames<DecryptOptions> = { signal: true };

/** A key storage module: holds the AES keys and decrypts OTPs. */
export interface Ksm {
  /** Rejects with a `YubikeyError` only for a fault that says nothing about the OTP. */
  decrypt(otp: Otp, options?: DecryptOptions): Promise<Decryption>;
}
