import type { Request, RequestHandler } from 'express';
import type { Account } from './accounts/account.js';
import { hasProof, setProof } from './proofs.js';

/** What the session holds of an account. */
export interface SessionUser {
  id: string;
  generation: number;
}

export function toSessionUser({ id, generation }: Account): SessionUser {
  return { id, generation };
}

/** Signs in, in a session with a new ID; what was in the old one is gone. */
export function signIn(req: Request, account: Account): Promise<void> {
  return new Promise((resolve, reject) => {
    req.login(account, (error) => (error ? reject(error) : resolve()));
  });
}

/** A change of the account has ended all its sessions; this one, in which it was made, goes on. */
export function keepSession(req: Request, account: Account): void {
  req.user = account;
  req.session.passport = { user: toSessionUser(account) };
}

/** The password counts on, with the time it was given at, when the middleware behind this one rotates the session. */
export const rememberPasswordProof: RequestHandler = (req, res, next) => {
  if (hasProof(req, 'password')) res.locals.passwordAt = req.session.password?.at;
  next();
};

export const restorePasswordProof: RequestHandler = (req, res, next) => {
  if (res.locals.passwordAt) setProof(req, 'password', res.locals.passwordAt);
  next();
};

/** A new session for the account as `passport.authorize` has changed it. */
export const renewSession: RequestHandler = async (req, _res, next) => {
  await signIn(req, (req as Request & { account: Account }).account);
  next();
};
