import { randomBytes } from 'node:crypto';
import type { OptionNames } from '../options.js';
import type { Counters } from '../otp/counters.js';
import type { Otp } from '../otp/otp.js';
import type { Rejection } from '../protocol/status.js';
import { isNonce } from '../protocol/validation-request.js';

/** What a verified OTP proves: which key typed it. */
export interface YubikeyIdentity {
  readonly publicId: string;
  /** Where the verifier knows them. */
  readonly counters?: Counters | undefined;
}

/** A verdict. A refused OTP is one too: only what prevents a verdict is an error. */
export type Verification =
  | { readonly ok: true; readonly identity: YubikeyIdentity }
  | { readonly ok: false; readonly reason: Rejection };

export interface VerifyOptions {
  /**
   * Ends the wait: with `ABORTED`, or where a `KsmVerifier` knows what became of the OTP, with `STORE_FAILED` (not used
   * up) or `ANSWER_LOST` (perhaps used up).
   */
  signal?: AbortSignal | undefined;
  /** 16 to 40 letters and digits that name this request; a fresh random one by default. */
  nonce?: string | undefined;
}

export const VERIFY_OPTIONS: OptionNames<VerifyOptions> = {
  signal: true,
  nonce: true,
};

/** Says whether an OTP is genuine and fresh, and whose it is. Each OTP is accepted once. */
export interface Verifier {
  /** Resolves with a verdict. Rejects with a `YubikeyError` only when no verdict could be reached. */
  verify(otp: Otp, options?: VerifyOptions): Promise<Verification>;
}

/** A fresh nonce: 32 hexadecimal digits, 128 random bits. */
export function newNonce(): string {
  return randomBytes(16).toString('hex');
}

/** @throws TypeError */
export function assertNonce(nonce: string): void {
  if (!isNonce(nonce)) throw new TypeError('nonce must be 16 to 40 letters and digits');
}
