import type { Request } from 'express';
import type { SecondFactor } from 'passport-yubikey-otp';
import { currentAccount } from './accounts/account.js';

/** Records when a user proved something. Like the record of the second factor, valid only in its own session. */
interface Proof {
  accountId: string;
  sessionId: string;
  /** Milliseconds since 1970. */
  at: number;
}

declare module 'express-session' {
  interface SessionData {
    passport?: { user: unknown } | undefined;
    /** Written by `completeSecondFactor`. */
    secondFactor?: SecondFactor;
    password?: Proof | undefined;
    keyAlone?: Proof | undefined;
    recovery?: Proof | undefined;
  }
}

export type ProofName = 'password' | 'keyAlone' | 'recovery';

/** Records a proof by the signed-in user. */
export function setProof(req: Request, name: ProofName, at = Date.now()): void {
  req.session[name] = { accountId: currentAccount(req).id, sessionId: req.sessionID, at };
}

/** Whether the signed-in user gave this proof, in this session, at most `maxAge` milliseconds ago. */
export function hasProof(req: Request, name: ProofName, maxAge = Number.POSITIVE_INFINITY): boolean {
  const proof = req.session[name];
  return (
    proof !== undefined &&
    req.user !== undefined &&
    proof.accountId === currentAccount(req).id &&
    proof.sessionId === req.sessionID &&
    Date.now() - proof.at <= maxAge
  );
}
