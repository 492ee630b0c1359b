import { type Request, type Response, Router } from 'express';
import { accountOf } from '../accounts/account.js';
import { freshlySignedIn } from '../guards.js';
import { setMark } from '../marks.js';
import type { Passport } from '../passport.js';
import { onRefusal } from '../refusals.js';
import type { Services } from '../services.js';
import { stayIn } from '../sign-in.js';

/** Signing in with a key and no password, for accounts that turned it on. */
export function keyAloneRoutes(passport: Passport, services: Services): Router {
  const { accounts, activity, limits } = services;
  const router = Router();

  router.post(
    '/login/key',
    limits.keyAlone.attempt,
    passport.authenticate('yubikey-alone', { failWithError: true }),
    limits.keyAlone.succeeded,
    async (req: Request, res: Response) => {
      setMark(req, 'keyAlone');
      await activity.record(req, accountOf(req), 'Signed in with a key alone');
      res.redirect('/account');
    },
    onRefusal((req) => activity.recordStranger(req, 'A key alone was refused')),
  );

  router.post('/account/key-alone', freshlySignedIn('/account/keys'), async (req, res) => {
    const before = accountOf(req);
    const allowed = req.body.allowed === '1';
    const account = before.hasKeys ? await accounts.setKeyAlone(before, allowed) : undefined;
    if (account) {
      stayIn(req, account);
      await activity.record(
        req,
        account,
        allowed ? 'Allowed to sign in with a key alone' : 'No longer allowed to sign in with a key alone',
      );
    }
    res.redirect('/account/keys');
  });

  return router;
}
