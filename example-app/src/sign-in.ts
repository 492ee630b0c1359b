import type { Request, RequestHandler } from 'express';
import type { Account } from './accounts/account.js';
import { hasProof, setProof } from './proofs.js';

/** The part of an account that is stored in the session. */
export interface SessionUser {
  id: string;
  generation: number;
}

export function toSessionUser({ id, generation }: Account): SessionUser {
  return { id, generation };
}

/** Signs in, in a session with a new ID. The content of the old session is dropped. */
export function signIn(req: Request, account: Account): Promise<void> {
  return new Promise((resolve, reject) => {
    req.login(account, (error) => (error ? reject(error) : resolve()));
  });
}

/** Keeps the current session valid after a change of the account, which ends all of its sessions. */
export function keepSession(req: Request, account: Account): void {
  req.user = account;
  req.session.passport = { user: toSessionUser(account) };
}

/** Carries the password's proof, with its time, over to the session that the next middleware creates. */
export const rememberPasswordProof: RequestHandler = (req, res, next) => {
  if (hasProof(req, 'password')) res.locals.passwordAt = req.session.password?.at;
  next();
};

export const restorePasswordProof: RequestHandler = (req, res, next) => {
  if (res.locals.passwordAt) setProof(req, 'password', res.locals.passwordAt);
  next();
};

/** Starts a new session for the account that `passport.authorize` has changed. */
export const renewSession: RequestHandler = async (req, _res, next) => {
  await signIn(req, (req as Request & { account: Account }).account);
  next();
};
