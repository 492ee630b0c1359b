import { type NextFunction, type Request, type Response, Router } from 'express';
import { accountOf } from '../accounts/account.js';
import { formError } from '../errors.js';
import { passwordFirst } from '../guards.js';
import { setMark } from '../marks.js';
import { onRefusal } from '../refusals.js';
import type { Services } from '../services.js';
import { rememberPassword, restorePassword, signIn } from '../sign-in.js';

/** "Key lost?" on the second step: a recovery code in place of a touch opens the pages of keys, and no other. */
export function recoveryRoutes({ recoveryCodes, activity, limits }: Services): Router {
  const router = Router();

  router.get('/login/recovery', passwordFirst, (_req, res) => res.render('recovery'));

  router.post(
    '/login/recovery',
    passwordFirst,
    limits.recovery.attempt,
    rememberPassword,
    async (req: Request, _res: Response, next: NextFunction) => {
      const account = accountOf(req);
      const { code } = req.body;
      if (typeof code !== 'string' || code.trim() === '') throw formError(400);
      if (!(await recoveryCodes.use(account, code))) throw formError(401);
      await signIn(req, account);
      setMark(req, 'recovery');
      await activity.record(req, account, 'Used a recovery code');
      next();
    },
    restorePassword,
    limits.recovery.succeeded,
    (_req: Request, res: Response) => res.redirect('/account/keys'),
    onRefusal((req) => activity.record(req, accountOf(req), 'A recovery code was refused')),
  );

  return router;
}
