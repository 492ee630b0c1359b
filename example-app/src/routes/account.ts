import { Router } from 'express';
import { accountOf } from '../accounts/account.js';
import { signedIn } from '../guards.js';
import type { Services } from '../services.js';

/** What a sign-in protects. Put `signedIn` before every route of yours. */
export function accountRoutes({ accountKeys, recoveryCodes, activity }: Services): Router {
  const router = Router();

  router.get('/account', signedIn, async (req, res) => {
    const account = accountOf(req);
    const { secondFactor } = req.session;
    res.render('account', {
      secondFactor,
      key: await accountKeys.find(account, secondFactor?.publicId),
      codesLeft: await recoveryCodes.countLeft(account),
    });
  });

  router.get('/account/activity', signedIn, async (req, res) => {
    res.render('activity', { activity: await activity.latest(accountOf(req)) });
  });

  return router;
}
