import { type NextFunction, type Request, type Response, Router } from 'express';
import { currentAccount } from '../accounts/account.js';
import { FormError } from '../errors.js';
import { requirePassword } from '../guards.js';
import { setProof } from '../proofs.js';
import { onRefusal } from '../refusals.js';
import type { Services } from '../services.js';
import { rememberPasswordProof, restorePasswordProof, signIn } from '../sign-in.js';

/** "Key lost?" on the second step: a recovery code instead of a touch opens the pages about keys, and no others. */
export function recoveryRoutes({ recoveryCodes, activity, limits }: Services): Router {
  const router = Router();

  router.get('/login/recovery', requirePassword, (_req, res) => res.render('recovery'));

  router.post(
    '/login/recovery',
    requirePassword,
    limits.recovery.attempt,
    rememberPasswordProof,
    async (req: Request, _res: Response, next: NextFunction) => {
      const account = currentAccount(req);
      const { code } = req.body;
      if (typeof code !== 'string' || code.trim() === '') throw new FormError(400);
      if (!(await recoveryCodes.use(account, code))) throw new FormError(401);
      await signIn(req, account);
      setProof(req, 'recovery');
      await activity.record(req, account, 'Used a recovery code');
      next();
    },
    restorePasswordProof,
    limits.recovery.succeeded,
    (_req: Request, res: Response) => res.redirect('/account/keys'),
    onRefusal((req) => activity.record(req, currentAccount(req), 'A recovery code was refused')),
  );

  return router;
}
