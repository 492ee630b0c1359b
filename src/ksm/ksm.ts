import type { OptionNames } from '../options.js';
import type { Counters } from '../otp/counters.js';
import type { Otp } from '../otp/otp.js';

/** A KSM's answer for an OTP. It does not tell whether the OTP is fresh: that takes comparing its counters. */
export type Decryption =
  | {
      readonly ok: true;
      readonly counters: Counters;
      /** Whether caps lock triggered the key. */
      readonly capsLock: boolean;
      /** Whether the private ID was compared. Otherwise, one random token in 65,536 passes. */
      readonly privateIdChecked: boolean;
    }
  | { readonly ok: false; readonly reason: 'UNKNOWN_KEY' | 'CORRUPT_OTP' | 'REPLAYED_OTP' };

export interface DecryptOptions {
  /** Ends the wait. */
  signal?: AbortSignal | undefined;
}

export const DECRYPT_OPTIONS: OptionNames<DecryptOptions> = { signal: true };

/** A key storage module, which holds AES keys and decrypts OTPs. */
export interface Ksm {
  /** Rejects with a `YubikeyError` only for a fault that is unrelated to the OTP. */
  decrypt(otp: Otp, options?: DecryptOptions): Promise<Decryption>;
}
