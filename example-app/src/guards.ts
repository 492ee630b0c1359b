import type { Request, RequestHandler } from 'express';
import { requireSecondFactor } from 'passport-yubikey-otp';
import { currentAccount } from './accounts/account.js';
import { withNext } from './next-page.js';
import { hasProof } from './proofs.js';

/** How long ago a proof may be, where keys are added and removed. */
export const FRESHNESS = 10 * 60 * 1000;

const requireBothSteps = requireSecondFactor({ redirectTo: '/login/yubikey' });

/** For every page of the account: both steps, or what the account allows in their place. */
export const requireSignIn: RequestHandler = (req, res, next) => {
  if (!req.user) return res.redirect('/login');
  if (isRecovering(req)) return res.redirect('/account/keys');
  if (!currentAccount(req).hasKeys || hasProof(req, 'keyAlone')) return next();
  return requireBothSteps(req, res, next);
};

/** Those few pages which a recovery code opens too. */
export const requireSignInOrRecovery: RequestHandler = (req, res, next) =>
  isRecovering(req) ? next() : requireSignIn(req, res, next);

/**
 * For what changes how the account is signed in to: a touch of the last ten minutes, or the password while there
 * are no keys. Whoever has none is asked for it, and then sent to `page`.
 */
export function requireFreshSignIn(page: string): RequestHandler {
  const freshTouch = requireSecondFactor({ maxAge: FRESHNESS, redirectTo: withNext('/login/yubikey', page) });
  return (req, res, next) => {
    if (!req.user) return res.redirect('/login');
    if (currentAccount(req).hasKeys) return freshTouch(req, res, next);
    return hasProof(req, 'password', FRESHNESS) ? next() : res.redirect(withNext('/login?again=1', page));
  };
}

export function requireFreshSignInOrRecovery(page: string): RequestHandler {
  const fresh = requireFreshSignIn(page);
  return (req, res, next) => (isRecovering(req) ? next() : fresh(req, res, next));
}

/** A recovery code stands in for the second factor, for a while, until a key is there again. */
export function isRecovering(req: Request): boolean {
  return hasProof(req, 'recovery', FRESHNESS);
}

/** For the second step: it is none without a first. */
export const requirePassword: RequestHandler = (req, res, next) => {
  if (!req.user) return res.redirect('/login');
  if (!hasProof(req, 'password')) return res.redirect(withNext('/login?again=1', readNext(req)));
  return currentAccount(req).hasKeys ? next() : res.redirect('/account');
};

function readNext(req: Request): unknown {
  return req.body?.next ?? req.query.next;
}
