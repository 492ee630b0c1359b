import type { Request, RequestHandler } from 'express';
import { YubikeyError } from '../errors.js';
import { assertOptional, type OptionNames } from '../options.js';
import { readUserId, type UserId } from './user-id.js';

/**
 * What `completeSecondFactor` records in the session, as `req.session.secondFactor`. To read it with types,
 * declare it: `declare module 'express-session' { interface SessionData { secondFactor?: SecondFactor } }`.
 */
export interface SecondFactor {
  userId: string;
  /** The session it was made in: after a rotation it no longer counts. */
  sessionId: string;
  publicId: string;
  /** Milliseconds since 1970. */
  at: number;
  /** Authentication method references of RFC 8176. Never `hwk`: an OTP proves no hardware. */
  amr: ['otp', 'mfa'];
}

export interface RequireSecondFactorOptions {
  /** How old the second factor may be, in milliseconds. Default: as old as the session. */
  maxAge?: number | undefined;
  /** Where to send who has none. Default: an error with status 401 or 403 for the app's error handler. */
  redirectTo?: string | undefined;
  /** As given to the strategy. Default `user.id`. */
  userId?: UserId | undefined;
}

const OPTION_NAMES: OptionNames<RequireSecondFactorOptions> = {
  maxAge: true,
  redirectTo: true,
  userId: true,
};

interface VerifiedFactor {
  userId: string;
  publicId: string;
  sessionIdBefore: string | undefined;
}

/** What express-session adds to a request. */
type SessionRequest = Request & { sessionID?: string | undefined; session?: Session | undefined };

interface Session {
  secondFactor?: SecondFactor | undefined;
  save?(done: (error?: unknown) => void): unknown;
}

const verifiedFactors = new WeakMap<Request, VerifiedFactor>();

/** For `YubikeyStrategy` alone: what `completeSecondFactor` goes by. */
export function noteVerifiedFactor(
  req: SessionRequest,
  factor: Omit<VerifiedFactor, 'sessionIdBefore'>,
): void {
  verifiedFactors.set(req, { ...factor, sessionIdBefore: req.sessionID });
}

/**
 * Express middleware that records the second factor in the session; goes right behind `passport.authenticate`
 * with a strategy that has `secondFactor: true`.
 *
 * Fails with `SECOND_FACTOR_NOT_VERIFIED` where no such strategy succeeded in this very request, and with
 * `SESSION_NOT_ROTATED` where Passport did not give the session a new ID.
 */
export function completeSecondFactor(): RequestHandler {
  return (req: SessionRequest, _res, next) => {
    const verified = verifiedFactors.get(req);
    verifiedFactors.delete(req);
    if (!verified || !req.user) {
      return next(
        new YubikeyError(
          'SECOND_FACTOR_NOT_VERIFIED',
          'completeSecondFactor goes behind passport.authenticate with a YubikeyStrategy that has secondFactor: true',
        ),
      );
    }
    if (!req.session || !req.sessionID || req.sessionID === verified.sessionIdBefore) {
      return next(
        new YubikeyError(
          'SESSION_NOT_ROTATED',
          'A second factor needs express-session and a new session ID at sign-in: use passport 0.6 or later, without session: false',
        ),
      );
    }
    const { userId, publicId } = verified;
    req.session.secondFactor = {
      userId,
      sessionId: req.sessionID,
      publicId,
      at: Date.now(),
      amr: ['otp', 'mfa'],
    };
    // As Passport does: a browser may follow a redirect before express-session has saved of itself.
    if (req.session.save) req.session.save((error) => next(error));
    else next();
  };
}

/**
 * Express middleware for routes that need a second factor: made by the user who is signed in now, in this very
 * session, and young enough. Signing out, a new sign-in and a change of user each void it.
 *
 * Without one it redirects, or calls `next` with a YubikeyError: `NOT_SIGNED_IN` (status 401) or
 * `SECOND_FACTOR_REQUIRED` (403).
 *
 * @throws TypeError for an unknown or unusable option.
 */
export function requireSecondFactor(options: RequireSecondFactorOptions = {}): RequestHandler {
  assertOptional('requireSecondFactor', options, OPTION_NAMES);
  const { maxAge = Number.POSITIVE_INFINITY, redirectTo, userId } = options;
  if (!(maxAge > 0)) throw new TypeError('maxAge must be a positive number of milliseconds');
  return (req, res, next) => {
    let allowed: boolean;
    try {
      allowed = hasSecondFactor(req, maxAge, userId);
    } catch (error) {
      return next(error);
    }
    if (allowed) return next();
    if (redirectTo !== undefined) return res.redirect(redirectTo);
    next(
      req.user
        ? new YubikeyError('SECOND_FACTOR_REQUIRED', 'This needs a second factor: touch your YubiKey')
        : new YubikeyError('NOT_SIGNED_IN', 'This needs a user who is signed in'),
    );
  };
}

/** How far the clocks of two machines that share sessions may be apart. */
const CLOCK_SKEW_MS = 60_000;

function hasSecondFactor(req: SessionRequest, maxAge: number, userId: UserId | undefined): boolean {
  const factor = req.session?.secondFactor;
  if (!factor || !req.user) return false;
  const age = Date.now() - factor.at;
  return (
    factor.userId === readUserId(req.user, userId) &&
    factor.sessionId === req.sessionID &&
    age >= -CLOCK_SKEW_MS &&
    age <= maxAge
  );
}
