import type { Request, RequestHandler } from 'express';
import { requireSecondFactor } from 'passport-yubikey-otp';
import { currentAccount } from './accounts/account.js';
import { withNext } from './next-page.js';
import { hasProof } from './proofs.js';

/** Maximum age, in milliseconds, of the proof that adding or removing a key needs. */
export const FRESHNESS = 10 * 60 * 1000;

const requireBothSteps = requireSecondFactor({ redirectTo: '/login/yubikey' });

/** For every page of the account: requires both steps, or what the account accepts instead. */
export const requireSignIn: RequestHandler = (req, res, next) => {
  if (!req.user) return res.redirect('/login');
  if (isRecovering(req)) return res.redirect('/account/keys');
  if (!currentAccount(req).hasKeys || hasProof(req, 'keyAlone')) return next();
  return requireBothSteps(req, res, next);
};

/** For the few pages that a recovery code also opens. */
export const requireSignInOrRecovery: RequestHandler = (req, res, next) =>
  isRecovering(req) ? next() : requireSignIn(req, res, next);

/**
 * For changes to how the user signs in: requires a touch within the last ten minutes, or the password if the account
 * has no keys. Users without it are asked for it, and then sent to `page`.
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

/** Whether a recent recovery code stands in for the second factor. */
export function isRecovering(req: Request): boolean {
  return hasProof(req, 'recovery', FRESHNESS);
}

/** For the second step: requires the first one. */
export const requirePassword: RequestHandler = (req, res, next) => {
  if (!req.user) return res.redirect('/login');
  if (!hasProof(req, 'password')) return res.redirect(withNext('/login?again=1', readNext(req)));
  return currentAccount(req).hasKeys ? next() : res.redirect('/account');
};

function readNext(req: Request): unknown {
  return req.body?.next ?? req.query.next;
}
