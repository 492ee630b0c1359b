import { randomBytes } from 'node:crypto';
import type { OptionNames } from '../options.js';
import type { Counters } from '../otp/counters.js';
import type { Otp } from '../otp/otp.js';
import type { Rejection } from '../protocol/status.js';
import { isNonce } from '../protocol/validation-request.js';

/** The key that typed a verified OTP. */
export interface YubikeyIdentity {
  readonly publicId: string;
  /** The counters of the OTP, if the verifier knows them. */
  readonly counters?: Counters | undefined;
}

/** The verdict about an OTP. A refused OTP is a verdict too: only a fault that prevents a verdict is an error. */
export type Verification =
  | { readonly ok: true; readonly identity: YubikeyIdentity }
  | { readonly ok: false; readonly reason: Rejection };

export interface VerifyOptions {
  /**
   * Ends the wait with `ABORTED`. A `KsmVerifier` that knows more about the OTP rejects with `STORE_FAILED` (not used
   * up) or `ANSWER_LOST` (possibly used up).
   */
  signal?: AbortSignal | undefined;
  /** 16 to 40 letters and digits that identify this request. Default: a new random nonce. */
  nonce?: string | undefined;
}

export const VERIFY_OPTIONS: OptionNames<VerifyOptions> = {
  signal: true,
  nonce: true,
};

/** Tells whether an OTP is genuine and fresh, and which key typed it. Each OTP is accepted only once. */
export interface Verifier {
  /** Resolves with a verdict. Rejects with a `YubikeyError` only if no verdict could be reached. */
  verify(otp: Otp, options?: VerifyOptions): Promise<Verification>;
}

/** A new nonce of 128 random bits, as 32 hexadecimal digits. */
export function newNonce(): string {
  return randomBytes(16).toString('hex');
}

/** @throws TypeError */
export function assertNonce(nonce: string): void {
  if (!isNonce(nonce)) throw new TypeError('nonce must be 16 to 40 letters and digits');
}
