import { Router } from 'express';
import { requireSecondFactor, type SecondFactor } from 'passport-yubikey-otp';

declare module 'express-session' {
  interface SessionData {
    secondFactor?: SecondFactor;
  }
}

/** What a sign-in protects. Put `requireSecondFactor` before every route of yours that needs both steps. */
export function accountRoutes(): Router {
  const router = Router();

  router.get('/account', requireSecondFactor({ redirectTo: '/login/yubikey' }), (req, res) => {
    res.render('account', { secondFactor: req.session.secondFactor });
  });

  return router;
}
