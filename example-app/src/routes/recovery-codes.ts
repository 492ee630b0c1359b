import { Router } from 'express';
import { currentAccount } from '../accounts/account.js';
import { requireFreshSignInOrRecovery, requireSignInOrRecovery } from '../guards.js';
import type { Services } from '../services.js';
import { keepSession } from '../sign-in.js';

const PAGE = '/account/recovery-codes';

/** Shows how many recovery codes are left, and new ones: in the response itself, since they are not stored. */
export function recoveryCodesRoutes({ recoveryCodes, activity }: Services): Router {
  const router = Router();

  router.get(PAGE, requireSignInOrRecovery, async (req, res) => {
    res.render('recovery-codes', { left: await recoveryCodes.countLeft(currentAccount(req)) });
  });

  router.post(PAGE, requireFreshSignInOrRecovery(PAGE), async (req, res) => {
    const account = currentAccount(req);
    // Without a key to lose, a code would be a second password that nobody asked for.
    const renewed = account.hasKeys ? await recoveryCodes.renew(account) : undefined;
    if (!renewed) return res.redirect(PAGE);
    keepSession(req, renewed.account);
    await activity.record(req, renewed.account, 'Made new recovery codes');
    res.render('new-recovery-codes', { codes: renewed.codes });
  });

  return router;
}
