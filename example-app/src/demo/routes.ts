import { type Request, Router } from 'express';
import type { Account } from '../accounts/account.js';
import type { Demo } from './demo.js';

declare module 'express-session' {
  interface SessionData {
    /** An OTP that a virtual key typed, for the field on the next page. */
    demoOtp?: string | undefined;
  }
}

/** The pages with a field for an OTP. */
const OTP_PAGES = ['/login', '/login/yubikey', '/account/keys/add'];

/** The keys on the demo panel. Its script asks for JSON; without scripts, the next page has the OTP filled in. */
export function demoRoutes(demo: Demo): Router {
  const router = Router();

  router.use(async (req, res, next) => {
    const keys = await demo.yubikeys.list(req.user as Account | undefined);
    res.locals.demo = { name: demo.name, password: demo.password, keys };
    if (req.method === 'GET' && OTP_PAGES.includes(req.path) && req.session.demoOtp) {
      res.locals.otp = req.session.demoOtp;
      delete req.session.demoOtp;
    }
    next();
  });

  router.post('/demo/press', async (req, res) => {
    const otp = await press(demo, req);
    if (req.accepts(['json', 'html']) !== 'html') return res.json({ otp });
    req.session.demoOtp = otp;
    res.redirect(OTP_PAGES.find((page) => page === req.body.page) ?? '/login');
  });

  return router;
}

async function press({ yubikeys, pressStrangersKey }: Demo, { body }: Request): Promise<string> {
  const { touch } = body;
  if (touch === 'stranger') return pressStrangersKey();
  const otp =
    touch === 'replay'
      ? await yubikeys.replay()
      : await yubikeys.press(touch === 'fresh' ? await yubikeys.findFresh() : String(touch));
  return otp ?? pressStrangersKey();
}
