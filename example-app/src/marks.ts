import type { Request } from 'express';
import type { SecondFactor } from 'passport-yubikey-otp';
import { accountOf } from './accounts/account.js';

/** What somebody proved, when, and in which session: like the second factor's record, void in any other. */
export interface Mark {
  accountId: string;
  sessionId: string;
  /** Milliseconds since 1970. */
  at: number;
}

declare module 'express-session' {
  interface SessionData {
    passport?: { user: unknown };
    /** Written by `completeSecondFactor`. */
    secondFactor?: SecondFactor;
    password?: Mark;
    keyAlone?: Mark;
    recovery?: Mark;
  }
}

export type MarkName = 'password' | 'keyAlone' | 'recovery';

export function setMark(req: Request, name: MarkName, at = Date.now()): void {
  req.session[name] = { accountId: accountOf(req).id, sessionId: req.sessionID, at };
}

export function hasMark(req: Request, name: MarkName, maxAge = Number.POSITIVE_INFINITY): boolean {
  const mark = req.session[name];
  return (
    mark !== undefined &&
    req.user !== undefined &&
    mark.accountId === accountOf(req).id &&
    mark.sessionId === req.sessionID &&
    Date.now() - mark.at <= maxAge
  );
}
