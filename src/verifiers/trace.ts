import { tracingChannel } from 'node:diagnostics_channel';
import { isObserved, publish } from '../diagnostics.js';
import { YubikeyError } from '../errors.js';
import { isPublicId, type Otp } from '../otp/otp.js';
import type { Rejection } from '../protocol/status.js';
import type { Verification } from './verifier.js';

/** On the channels of `tracingChannel('passport-yubikey-otp:verify')`: one call of `verify()`. */
export interface VerifyMessage {
  /** The class of the verifier: `CloudVerifier` or `KsmVerifier`. */
  readonly verifier: string;
  /** Undefined if the argument is not an OTP. */
  readonly publicId: string | undefined;
  /** The verdict, once there is one. */
  result?: Verification | undefined;
  /** A copy of the error that `verify()` rejects with, without its `cause`. */
  error?: Error | undefined;
}

const verifications = tracingChannel<unknown, VerifyMessage>('passport-yubikey-otp:verify');

/** Traces one verification, as `tracePromise` of Node does, and publishes its refusal, if anybody subscribes. */
export function traceVerification(
  verifier: string,
  otp: Otp,
  verify: () => Promise<Verification>,
): Promise<Verification> {
  const isWatched = verifications.hasSubscribers || isObserved('refusal') || isObserved('replay');
  return isWatched ? traceWatched(verifier, otp, verify) : verify();
}

async function traceWatched(
  verifier: string,
  otp: Otp,
  verify: () => Promise<Verification>,
): Promise<Verification> {
  let fault: unknown;
  const judge = async () => {
    try {
      const verification = await verify();
      if (!verification.ok) publishRefusal(verifier, otp, verification.reason);
      return verification;
    } catch (error) {
      fault = error;
      throw withoutCause(error);
    }
  };
  const message: VerifyMessage = { verifier, publicId: readPublicId(otp) };
  return verifications.tracePromise(judge, message).catch(() => Promise.reject(fault));
}

/** Publishes that an OTP was refused. Replays are published on a channel of their own, too. */
export function publishRefusal(verifier: string, otp: Otp, reason: Rejection): void {
  const build = () => ({ verifier, publicId: readPublicId(otp), reason });
  publish('refusal', build);
  if (reason === 'REPLAYED_OTP' || reason === 'REPLAYED_REQUEST') publish('replay', build);
}

/** The argument may be anything: its `publicId` may be a whole OTP. */
function readPublicId(otp: Partial<Otp> | null | undefined): string | undefined {
  const publicId = otp?.publicId;
  return isPublicId(publicId) ? publicId : undefined;
}

/** The cause may be the error of a driver, which repeats the command that failed, with all its values. */
function withoutCause(error: unknown): unknown {
  if (!(error instanceof YubikeyError)) return error;
  const copy = new YubikeyError(error.code, error.message, { servers: error.servers });
  if (error.stack !== undefined) copy.stack = error.stack;
  return copy;
}
