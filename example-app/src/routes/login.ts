import { Router } from 'express';
import type { Passport } from '../passport.js';

/** The first step: name and password. */
export function loginRoutes(passport: Passport): Router {
  const router = Router();

  router.get('/login', (req, res) => (req.user ? res.redirect('/account') : res.render('login')));

  // failWithError brings a wrong password to the app's one error handler, which shows the form again.
  router.post(
    '/login',
    passport.authenticate('local', { failWithError: true, successRedirect: '/login/yubikey' }),
  );

  router.post('/logout', (req, res, next) => {
    req.logout((error) => (error ? next(error) : res.redirect('/login')));
  });

  return router;
}
