import type { Request, RequestHandler } from 'express';
import { requireSecondFactor } from 'passport-yubikey-otp';
import { accountOf } from './accounts/account.js';
import { hasMark } from './marks.js';
import { withNext } from './next-page.js';

/** How long ago a proof may be, where keys are added and removed. */
export const FRESH = 10 * 60 * 1000;

const bothSteps = requireSecondFactor({ redirectTo: '/login/yubikey' });

/** For every page of the account: both steps, or what the account allows in their place. */
export const signedIn: RequestHandler = (req, res, next) => {
  if (!req.user) return res.redirect('/login');
  if (isRecovering(req)) return res.redirect('/account/keys');
  if (!accountOf(req).hasKeys || hasMark(req, 'keyAlone')) return next();
  return bothSteps(req, res, next);
};

/** Those few pages which a recovery code opens too. */
export const signedInOrRecovering: RequestHandler = (req, res, next) =>
  isRecovering(req) ? next() : signedIn(req, res, next);

/**
 * For what changes how the account is signed in to: a touch of the last ten minutes, or the password while there
 * are no keys. Whoever has none is asked for it, and then sent to `page`.
 */
export function freshlySignedIn(page: string): RequestHandler {
  const freshTouch = requireSecondFactor({ maxAge: FRESH, redirectTo: withNext('/login/yubikey', page) });
  return (req, res, next) => {
    if (!req.user) return res.redirect('/login');
    if (accountOf(req).hasKeys) return freshTouch(req, res, next);
    return hasMark(req, 'password', FRESH) ? next() : res.redirect(withNext('/login?again=1', page));
  };
}

export function freshlySignedInOrRecovering(page: string): RequestHandler {
  const fresh = freshlySignedIn(page);
  return (req, res, next) => (isRecovering(req) ? next() : fresh(req, res, next));
}

/** A recovery code stands in for the second factor, for a while, until a key is there again. */
export function isRecovering(req: Request): boolean {
  return hasMark(req, 'recovery', FRESH);
}

/** For the second step: it is none without a first. */
export const passwordFirst: RequestHandler = (req, res, next) => {
  if (!req.user) return res.redirect('/login');
  if (!hasMark(req, 'password')) return res.redirect(withNext('/login?again=1', nextOf(req)));
  return accountOf(req).hasKeys ? next() : res.redirect('/account');
};

function nextOf(req: Request): unknown {
  return req.body?.next ?? req.query.next;
}
