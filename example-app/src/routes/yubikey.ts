import { type RequestHandler, Router } from 'express';
import { completeSecondFactor } from 'passport-yubikey-otp';
import type { Passport } from '../passport.js';

/** The second step: a touch of the YubiKey, which types an OTP into the form's one field and submits it. */
export function yubikeyRoutes(passport: Passport): Router {
  const router = Router();
  router.use('/login/yubikey', passwordFirst);

  router.get('/login/yubikey', (_req, res) => res.render('yubikey'));

  // failWithError brings every refusal to the app's one error handler, where verifier faults arrive too.
  router.post(
    '/login/yubikey',
    passport.authenticate('yubikey', { failWithError: true }),
    completeSecondFactor(),
    (_req, res) => res.redirect('/account'),
  );

  return router;
}

const passwordFirst: RequestHandler = (req, res, next) => (req.user ? next() : res.redirect('/login'));
