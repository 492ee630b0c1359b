import { type Request, type Response, Router } from 'express';
import { currentAccount } from '../accounts/account.js';
import { nextPage, withNext } from '../next-page.js';
import type { Passport } from '../passport.js';
import { setProof } from '../proofs.js';
import { onRefusal } from '../refusals.js';
import type { Services } from '../services.js';

/** The first step: name and password. */
export function loginRoutes(passport: Passport, { activity, limits }: Services): Router {
  const router = Router();

  // `again` asks a user who is already signed in for the password once more.
  router.get('/login', (req, res) => {
    if (req.user && !req.query.again) return res.redirect('/account');
    const name = req.user && currentAccount(req).name;
    res.render('login', { name, next: nextPage(req.query.next) });
  });

  // failWithError passes a wrong password to the app's error handler, which shows the form again.
  router.post(
    '/login',
    limits.password.attempt,
    passport.authenticate('local', { failWithError: true }),
    limits.password.succeeded,
    async (req: Request, res: Response) => {
      const account = currentAccount(req);
      setProof(req, 'password');
      await activity.record(req, account, 'Gave the password');
      const { next } = req.body;
      res.redirect(account.hasKeys ? withNext('/login/yubikey', next) : (nextPage(next) ?? '/account'));
    },
    onRefusal((req) => activity.recordStranger(req, 'A password was refused')),
  );

  router.post('/logout', async (req, res, next) => {
    if (req.user) await activity.record(req, currentAccount(req), 'Signed out');
    req.logout((error) => (error ? next(error) : res.redirect('/login')));
  });

  return router;
}
