import { type Request, type RequestHandler, type Response, Router } from 'express';
import { completeSecondFactor } from 'passport-yubikey-otp';
import { currentAccount } from '../accounts/account.js';
import { readName } from '../accounts/names.js';
import { FormError } from '../errors.js';
import { requireFreshSignInOrRecovery } from '../guards.js';
import type { Passport } from '../passport.js';
import { onRefusal } from '../refusals.js';
import type { Services } from '../services.js';
import { rememberPasswordProof, renewSession, restorePasswordProof } from '../sign-in.js';

const PAGE = '/account/keys/add';

/**
 * Adding a key, with a name and a touch that proves possession. `authorize` leaves the account signed in; the touch
 * then counts as its second factor, in a new session, and ends all other sessions.
 */
export function addKeyRoutes(passport: Passport, services: Services): Router {
  const { accountKeys, recoveryCodes, activity, limits } = services;
  const router = Router();
  const fresh = requireFreshSignInOrRecovery(PAGE);

  router.get(PAGE, fresh, (_req, res) => res.render('add-key'));

  router.post(
    PAGE,
    fresh,
    requireName,
    limits.yubikey.attempt,
    rememberPasswordProof,
    passport.authorize('yubikey-to-add', { failWithError: true }),
    renewSession,
    completeSecondFactor(),
    restorePasswordProof,
    limits.yubikey.succeeded,
    async (req: Request, res: Response) => {
      const account = currentAccount(req);
      const key = await accountKeys.find(account, req.session.secondFactor?.publicId);
      await activity.record(req, account, 'Added a key', key);
      const hasCodes = (await recoveryCodes.countLeft(account)) > 0;
      res.redirect(hasCodes ? '/account/keys' : '/account/recovery-codes');
    },
    onRefusal((req) => activity.record(req, currentAccount(req), 'A key was refused')),
  );

  return router;
}

/** Goes before the check of the OTP, which uses it up. */
const requireName: RequestHandler = (req, _res, next) => {
  next(
    readName(req.body.name) ? undefined : new FormError(400, 'A name must have 1 to 40 visible characters.'),
  );
};
