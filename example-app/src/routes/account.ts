import { Router } from 'express';
import { currentAccount } from '../accounts/account.js';
import { requireSignIn } from '../guards.js';
import type { Services } from '../services.js';

/** The pages that signing in protects. Put `requireSignIn` before every route of your own. */
export function accountRoutes({ accountKeys, recoveryCodes, activity }: Services): Router {
  const router = Router();

  router.get('/account', requireSignIn, async (req, res) => {
    const account = currentAccount(req);
    const { secondFactor } = req.session;
    res.render('account', {
      secondFactor,
      key: await accountKeys.find(account, secondFactor?.publicId),
      codesLeft: await recoveryCodes.countLeft(account),
    });
  });

  router.get('/account/activity', requireSignIn, async (req, res) => {
    res.render('activity', { activity: await activity.listLatest(currentAccount(req)) });
  });

  return router;
}
