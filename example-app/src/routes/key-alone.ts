import { type Request, type Response, Router } from 'express';
import { currentAccount } from '../accounts/account.js';
import { requireFreshSignIn } from '../guards.js';
import type { Passport } from '../passport.js';
import { setProof } from '../proofs.js';
import { onRefusal } from '../refusals.js';
import type { Services } from '../services.js';
import { keepSession } from '../sign-in.js';

/** Signing in with a key and no password, for accounts that have turned this on. */
export function keyAloneRoutes(passport: Passport, services: Services): Router {
  const { accounts, activity, limits } = services;
  const router = Router();

  router.post(
    '/login/key',
    limits.keyAlone.attempt,
    passport.authenticate('yubikey-alone', { failWithError: true }),
    limits.keyAlone.succeeded,
    async (req: Request, res: Response) => {
      setProof(req, 'keyAlone');
      await activity.record(req, currentAccount(req), 'Signed in with a key alone');
      res.redirect('/account');
    },
    onRefusal((req) => activity.recordStranger(req, 'A key alone was refused')),
  );

  router.post('/account/key-alone', requireFreshSignIn('/account/keys'), async (req, res) => {
    const before = currentAccount(req);
    const allowed = req.body.allowed === '1';
    const account = before.hasKeys ? await accounts.setKeyAlone(before, allowed) : undefined;
    if (account) {
      keepSession(req, account);
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
