import type { Request } from 'express';
import { Strategy } from 'passport-strategy';
import { YubikeyError } from '../errors.js';
import { assertOptions, type OptionNames } from '../options.js';
import { type Otp, parseOtp } from '../otp/otp.js';
import type { Rejection } from '../protocol/status.js';
import type { Verification, Verifier, YubikeyIdentity } from '../verifiers/verifier.js';
import { type ExtractOtp, otpInBody } from './extract-otp.js';
import { type Lookup, lookUp } from './lookup.js';
import { readUserId, type UserId } from './user-id.js';
import { noteVerifiedFactor } from './verified-factors.js';

/** Why a sign-in was refused. `code` is for the application: strangers should only see `message`. */
export interface FailureInfo {
  code:
    | 'OTP_MISSING'
    | 'OTP_MALFORMED'
    | Rejection
    /** The OTP is valid, but `lookup` found no user for its key. */
    | 'UNKNOWN_USER'
    /** A second factor needs a user who is signed in. */
    | 'NOT_SIGNED_IN'
    /** The OTP is valid, but its key does not belong to the signed-in user. */
    | 'OTHER_USER';
  message: 'Invalid OTP';
}

export interface YubikeyStrategyOptions {
  /** Tells whether an OTP is genuine and fresh: a `CloudVerifier`, a `KsmVerifier`, or your own. */
  verifier: Verifier;
  /** The strategy's name for `passport.authenticate(name)`. Default `yubikey`. */
  name?: string | undefined;
  /** The field of the body with the OTP, which may be nested like `user[otp]`. Default `otp`. */
  otpField?: string | undefined;
  /**
   * Also reads the field from the URL's query if the body does not have it. Beware: OTPs in URLs end up in logs and
   * browser histories. Default false.
   */
  allowOtpInQuery?: boolean | undefined;
  /** A function that takes the OTP out of a request, instead of `otpField`. */
  extractOtp?: ExtractOtp | undefined;
  /** Requires a signed-in user, and that `lookup` finds the same user. Default false. */
  secondFactor?: boolean | undefined;
  /** Returns the id of a user, a string or a number that no other user has. Default `user.id`. */
  userId?: UserId | undefined;
  /** Passes the request to `lookup` as its first argument. Default false. */
  passReqToCallback?: boolean | undefined;
}

const OPTION_NAMES: OptionNames<YubikeyStrategyOptions> = {
  verifier: true,
  name: true,
  otpField: true,
  allowOtpInQuery: true,
  extractOtp: true,
  secondFactor: true,
  userId: true,
  passReqToCallback: true,
};

/** A request with a well-formed OTP. */
interface Attempt {
  kind: 'attempt';
  otp: Otp;
  /** The id of the signed-in user; undefined unless this is a second factor. */
  signedInId: string | undefined;
}
interface Success {
  kind: 'success';
  user: Express.User;
  info: object | undefined;
}
interface Failure {
  kind: 'failure';
  info: object;
  status: 400 | 401;
}

/** The methods that Passport adds to a strategy for each request. */
interface Outcomes {
  success(user: Express.User, info?: object): void;
  fail(info: object, status: number): void;
  error(error: unknown): void;
}

const PassportStrategy = Strategy as unknown as new () => Outcomes;

/**
 * Signs in with a YubiKey's one-time password, alone or as a second factor.
 *
 * A missing or malformed OTP fails with 400, a refused OTP or an unknown user with 401. A fault that prevents a verdict
 * is passed to `next` as an error whose `status` is 503, or 500 if the configuration must change, for example if no body
 * parser ran before the route. Errors of the app's own `lookup` are passed on unchanged.
 */
export class YubikeyStrategy extends PassportStrategy {
  readonly name: string;
  private readonly verifier: Verifier;
  private readonly extractOtp: ExtractOtp;
  private readonly secondFactor: boolean;
  private readonly userId: UserId | undefined;
  private readonly passReqToCallback: boolean;
  private readonly lookup: (...args: never[]) => unknown;

  /** @throws TypeError for a missing or unusable argument, or an unknown option. */
  constructor(
    options: YubikeyStrategyOptions & { passReqToCallback: true },
    lookup: Lookup<[Request, YubikeyIdentity]>,
  );
  constructor(
    options: YubikeyStrategyOptions & { passReqToCallback?: false | undefined },
    lookup: Lookup<[YubikeyIdentity]>,
  );
  constructor(
    options: YubikeyStrategyOptions,
    lookup: Lookup<[Request, YubikeyIdentity]> | Lookup<[YubikeyIdentity]>,
  ) {
    super();
    assertOptions('YubikeyStrategy', options, OPTION_NAMES);
    if (typeof options?.verifier?.verify !== 'function')
      throw new TypeError('YubikeyStrategy requires verifier');
    if (typeof lookup !== 'function') throw new TypeError('YubikeyStrategy requires a lookup function');
    this.name = options.name ?? 'yubikey';
    this.verifier = options.verifier;
    this.extractOtp =
      options.extractOtp ?? otpInBody(options.otpField ?? 'otp', options.allowOtpInQuery ?? false);
    this.secondFactor = options.secondFactor ?? false;
    this.userId = options.userId;
    this.passReqToCallback = options.passReqToCallback ?? false;
    this.lookup = lookup;
  }

  /**
   * Called by Passport, which sets `success`, `fail` and `error` for each request, so they are read before anything is
   * awaited. Failures that need no waiting are reported synchronously, so that Express sees errors of the application.
   */
  authenticate(req: Request): void {
    const success = this.success.bind(this);
    const fail = this.fail.bind(this);
    const error = this.error.bind(this);
    let attempt: Attempt | Failure;
    try {
      attempt = this.readAttempt(req);
    } catch (reason) {
      error(toTruthyError(reason));
      return;
    }
    if (attempt.kind === 'failure') {
      fail(attempt.info, attempt.status);
      return;
    }
    void this.decide(req, attempt).then(
      (outcome) =>
        outcome.kind === 'success' ? success(outcome.user, outcome.info) : fail(outcome.info, outcome.status),
      (reason) => error(toTruthyError(reason)),
    );
  }

  private readAttempt(req: Request): Attempt | Failure {
    if (this.secondFactor && !req.user) return failure('NOT_SIGNED_IN', 401);
    const signedInId = this.secondFactor && req.user ? readUserId(req.user, this.userId) : undefined;
    const typed = this.extractOtp(req);
    if (typed === undefined || typed === null || typed === '') return failure('OTP_MISSING', 400);
    const otp = tryParseOtp(typed);
    return otp ? { kind: 'attempt', otp, signedInId } : failure('OTP_MALFORMED', 400);
  }

  private async decide(req: Request, { otp, signedInId }: Attempt): Promise<Success | Failure> {
    const verification = await this.askVerifier(otp);
    if (!verification.ok) return failure(verification.reason, 401);

    const { identity } = verification;
    const args = this.passReqToCallback ? [req, identity] : [identity];
    const { user, info } = await lookUp(this.lookup, args);
    if (!user) return { kind: 'failure', info: info ?? failure('UNKNOWN_USER', 401).info, status: 401 };

    if (signedInId !== undefined) {
      if (readUserId(user, this.userId) !== signedInId) return failure('OTHER_USER', 401);
      noteVerifiedFactor(req, { userId: signedInId, publicId: identity.publicId });
    }
    return { kind: 'success', user, info };
  }

  private async askVerifier(otp: Otp): Promise<Verification> {
    try {
      return checkVerification(await this.verifier.verify(otp));
    } catch (cause) {
      if (cause instanceof YubikeyError) throw cause;
      throw new YubikeyError('VERIFIER_FAILED', 'The verifier failed', { cause });
    }
  }
}

/** Checks the result of a verifier, because an application's own verifier may return anything. */
function checkVerification(verification: Verification): Verification {
  const { ok } = verification;
  const isVerdict = ok === true ? typeof verification.identity.publicId === 'string' : ok === false;
  if (isVerdict) return verification;
  throw new TypeError('verify() must resolve with { ok: true, identity } or { ok: false, reason }');
}

/** Replaces values that `next` does not treat as an error, with which it would continue to the protected route. */
function toTruthyError(reason: unknown): unknown {
  const wouldContinue = !reason || reason === 'route' || reason === 'router';
  return wouldContinue
    ? new Error('lookup or extractOtp threw something that is not an Error', { cause: reason })
    : reason;
}

function tryParseOtp(typed: unknown): Otp | undefined {
  try {
    return parseOtp(typed as string);
  } catch {
    return undefined;
  }
}

function failure(code: FailureInfo['code'], status: 400 | 401): Failure & { info: FailureInfo } {
  return { kind: 'failure', info: { code, message: 'Invalid OTP' }, status };
}
