import { Router } from 'express';
import { currentAccount } from '../accounts/account.js';
import { FormError } from '../errors.js';
import { isRecovering, requireFreshSignInOrRecovery, requireSignInOrRecovery } from '../guards.js';
import type { Services } from '../services.js';
import { keepSession } from '../sign-in.js';

const PAGE = '/account/keys';
const REMOVE = `${PAGE}/remove`;

/** The account's keys, and removing one. */
export function keysRoutes({ accountKeys, recoveryCodes, activity }: Services): Router {
  const router = Router();

  router.get(PAGE, requireSignInOrRecovery, async (req, res) => {
    const account = currentAccount(req);
    res.render('keys', {
      keys: await accountKeys.list(account),
      codesLeft: await recoveryCodes.countLeft(account),
      recovering: isRecovering(req),
    });
  });

  router.get(REMOVE, requireFreshSignInOrRecovery(PAGE), async (req, res) => {
    const keys = await accountKeys.list(currentAccount(req));
    const key = keys.find(({ publicId }) => publicId === req.query.key);
    if (!key) return res.redirect(PAGE);
    res.render('remove-key', { key, isLast: keys.length === 1 });
  });

  router.post(REMOVE, requireFreshSignInOrRecovery(PAGE), async (req, res) => {
    const key = await accountKeys.find(currentAccount(req), req.body.key);
    const account = key && (await accountKeys.remove(currentAccount(req), key.publicId));
    if (!account) throw new FormError(404);
    keepSession(req, account);
    // A second factor given with this key is no longer valid in this session either.
    if (req.session.secondFactor?.publicId === key.publicId) delete req.session.secondFactor;
    await activity.record(req, account, 'Removed a key', key);
    res.redirect(PAGE);
  });

  return router;
}
