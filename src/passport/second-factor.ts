import type { Request, RequestHandler } from 'express';
import { YubikeyError } from '../errors.js';
import { assertOptional, type OptionNames } from '../options.js';
import { readUserId, type UserId } from './user-id.js';
import { takeVerifiedFactor } from './verified-factors.js';

/**
 * The record that `completeSecondFactor` stores in the session, as `req.session.secondFactor`. To read it with types,
 * declare it: `declare module 'express-session' { interface SessionData { secondFactor?: SecondFactor } }`.
 */
export interface SecondFactor {
  userId: string;
  /** The ID of the session in which it was made. It is void once the session gets a new ID. */
  sessionId: string;
  publicId: string;
  /** Milliseconds since 1970. */
  at: number;
  /** Authentication method references (RFC 8176). Never `hwk`, because an OTP does not prove hardware. */
  amr: ['otp', 'mfa'];
}

export interface RequireSecondFactorOptions {
  /** The maximum age of the second factor, in milliseconds. Default: no limit, as long as the session lasts. */
  maxAge?: number | undefined;
  /**
   * Redirect target for users without a second factor. Default: an error with status 401 or 403 for the app's error
   * handler.
   */
  redirectTo?: string | undefined;
  /** The same as the strategy's option. Default `user.id`. */
  userId?: UserId | undefined;
}

const OPTION_NAMES: OptionNames<RequireSecondFactorOptions> = {
  maxAge: true,
  redirectTo: true,
  userId: true,
};

/** A request with the properties that express-session adds. */
type SessionRequest = Request & { sessionID?: string | undefined; session?: Session | undefined };

interface Session {
  secondFactor?: SecondFactor | undefined;
  save?(done: (error?: unknown) => void): unknown;
}

/**
 * Express middleware that records the second factor in the session. It belongs directly after `passport.authenticate`
 * with a strategy that has `secondFactor: true`.
 *
 * It fails with `SECOND_FACTOR_NOT_VERIFIED` if no such strategy succeeded in the same request, and with
 * `SESSION_NOT_ROTATED` if Passport did not give the session a new ID.
 */
export function completeSecondFactor(): RequestHandler {
  return (req: SessionRequest, _res, next) => {
    const verified = takeVerifiedFactor(req);
    if (!verified || !req.user) {
      return next(
        new YubikeyError(
          'SECOND_FACTOR_NOT_VERIFIED',
          'completeSecondFactor belongs after passport.authenticate with a YubikeyStrategy that has secondFactor: true',
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
    // Saved here as Passport does, because a browser may follow a redirect before express-session saves the session.
    if (req.session.save) req.session.save((error) => next(error));
    else next();
  };
}

/**
 * Express middleware for routes that need a second factor of the current user, made in the current session and not older
 * than `maxAge`. It becomes void when the user signs out or signs in again, and when another user signs in.
 *
 * A request without a valid second factor is redirected, or passed to `next` with a YubikeyError: `NOT_SIGNED_IN` (status
 * 401) or `SECOND_FACTOR_REQUIRED` (403).
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
        ? new YubikeyError('SECOND_FACTOR_REQUIRED', 'A second factor is required: touch your YubiKey')
        : new YubikeyError('NOT_SIGNED_IN', 'A signed-in user is required'),
    );
  };
}

/** The tolerated difference between the clocks of two machines that share sessions. */
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
