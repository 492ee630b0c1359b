import { fileURLToPath } from 'node:url';
import { csrfSync } from 'csrf-sync';
import express, { type Express } from 'express';
import session from 'express-session';
import helmet from 'helmet';
import type { Verifier } from 'passport-yubikey-otp';
import type { Config } from './config.js';
import { type Demo, demoRoutes } from './demo.js';
import { errorHandler, notFound } from './errors.js';
import { createPassport } from './passport.js';
import { accountRoutes } from './routes/account.js';
import { loginRoutes } from './routes/login.js';
import { yubikeyRoutes } from './routes/yubikey.js';
import type { Users } from './users.js';
import { useViews } from './views.js';

export interface AppOptions {
  config: Pick<Config, 'production' | 'sessionSecret'>;
  users: Users;
  verifier: Verifier;
  demo?: Demo;
}

const PUBLIC = fileURLToPath(new URL('../public', import.meta.url));

/** Nothing but what the app itself serves: no inline script or style, no frames, no other host. */
const CONTENT_SECURITY_POLICY = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'"],
    connectSrc: ["'self'"],
    formAction: ["'self'"],
    frameAncestors: ["'none'"],
    baseUri: ["'none'"],
  },
};

export function createApp({ config, users, verifier, demo }: AppOptions): Express {
  const app = express();
  const passport = createPassport(users, verifier);
  const csrf = csrfSync({
    getTokenFromRequest: (req) => req.body?._csrf ?? req.get('x-csrf-token'),
  });

  // In production a proxy speaks TLS in front of the app, and secure cookies are set only where it is believed.
  if (config.production) app.set('trust proxy', 1);
  useViews(app, { cache: config.production });

  app.use(helmet({ contentSecurityPolicy: CONTENT_SECURITY_POLICY }));
  app.use(express.static(PUBLIC));
  app.use(
    session({
      name: 'session',
      secret: config.sessionSecret,
      resave: false,
      saveUninitialized: false,
      cookie: { httpOnly: true, sameSite: 'lax', secure: config.production, maxAge: 8 * 60 * 60 * 1000 },
    }),
  );
  app.use(passport.session());
  app.use((req, res, next) => {
    res.set('Cache-Control', 'no-store');
    Object.assign(res.locals, { user: req.user, demo, csrfToken: () => csrf.generateToken(req) });
    next();
  });
  app.use(express.urlencoded({ extended: false, limit: '10kb' }));
  app.use(csrf.csrfSynchronisedProtection);

  app.get('/', (_req, res) => res.redirect('/login'));
  app.use(loginRoutes(passport));
  app.use(yubikeyRoutes(passport));
  app.use(accountRoutes());
  if (demo) app.use(demoRoutes(demo));

  app.use(notFound);
  app.use(errorHandler);
  return app;
}
