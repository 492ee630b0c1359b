import { type Request, type Response, Router } from 'express';
import { completeSecondFactor } from 'passport-yubikey-otp';
import { currentAccount } from '../accounts/account.js';
import { requirePassword } from '../guards.js';
import { nextPage } from '../next-page.js';
import type { Passport } from '../passport.js';
import { onRefusal } from '../refusals.js';
import type { Services } from '../services.js';
import { rememberPasswordProof, restorePasswordProof } from '../sign-in.js';

/**
 * The second step: a touch of the YubiKey, which types an OTP into the form's only field and submits it. Changing
 * anything about the keys later needs another touch here.
 */
export function yubikeyRoutes(passport: Passport, { accountKeys, activity, limits }: Services): Router {
  const router = Router();

  router.get('/login/yubikey', requirePassword, (req, res) => {
    res.render('yubikey', { next: nextPage(req.query.next) });
  });

  // failWithError passes every refusal to the app's error handler, which also receives the verifier's faults.
  router.post(
    '/login/yubikey',
    requirePassword,
    limits.yubikey.attempt,
    rememberPasswordProof,
    passport.authenticate('yubikey', { failWithError: true }),
    completeSecondFactor(),
    restorePasswordProof,
    limits.yubikey.succeeded,
    async (req: Request, res: Response) => {
      const account = currentAccount(req);
      const key = await accountKeys.find(account, req.session.secondFactor?.publicId);
      await activity.record(req, account, 'Signed in with password and key', key);
      res.redirect(nextPage(req.body.next) ?? '/account');
    },
    onRefusal((req) => activity.record(req, currentAccount(req), 'A key was refused')),
  );

  return router;
}
