import { fileURLToPath } from 'node:url';
import { csrfSync } from 'csrf-sync';
import express, { type Express } from 'express';
import helmet from 'helmet';
import type { Config } from './config.js';
import { demoRoutes } from './demo/routes.js';
import { errorHandler, notFound } from './errors.js';
import { createPassport } from './passport.js';
import { accountRoutes } from './routes/account.js';
import { addKeyRoutes } from './routes/add-key.js';
import { keyAloneRoutes } from './routes/key-alone.js';
import { keysRoutes } from './routes/keys.js';
import { loginRoutes } from './routes/login.js';
import { recoveryRoutes } from './routes/recovery.js';
import { recoveryCodesRoutes } from './routes/recovery-codes.js';
import { signUpRoutes } from './routes/sign-up.js';
import { yubikeyRoutes } from './routes/yubikey.js';
import type { Services } from './services.js';
import { sessionMiddleware } from './sessions.js';
import { useViews } from './views.js';

export interface AppOptions extends Services {
  config: Pick<Config, 'production' | 'sessionSecret'>;
}

const PUBLIC = fileURLToPath(new URL('../public', import.meta.url));

/** Allows only what the app itself serves: no inline script or style, no frames, no other host. */
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

export function createApp({ config, ...services }: AppOptions): Express {
  const { demo } = services;
  const app = express();
  const passport = createPassport(services);
  const csrf = csrfSync({
    getTokenFromRequest: (req) => req.body?._csrf ?? req.get('x-csrf-token'),
  });

  // In production a proxy terminates TLS; secure cookies are set only if the app trusts its headers.
  if (config.production) app.set('trust proxy', 1);
  useViews(app, { cache: config.production });

  app.use(helmet({ contentSecurityPolicy: CONTENT_SECURITY_POLICY }));
  app.use(express.static(PUBLIC));
  app.use(sessionMiddleware(services.sessionStore, config));
  app.use(passport.session());
  app.use((req, res, next) => {
    res.set('Cache-Control', 'no-store');
    Object.assign(res.locals, { user: req.user, page: req.path, csrfToken: () => csrf.generateToken(req) });
    next();
  });
  app.use(express.urlencoded({ extended: false, limit: '10kb' }));
  app.use(csrf.csrfSynchronisedProtection);
  if (demo) app.use(demoRoutes(demo));

  app.get('/', (_req, res) => res.redirect('/login'));
  app.use(signUpRoutes(services));
  app.use(loginRoutes(passport, services));
  app.use(yubikeyRoutes(passport, services));
  app.use(keyAloneRoutes(passport, services));
  app.use(recoveryRoutes(services));
  app.use(accountRoutes(services));
  app.use(keysRoutes(services));
  app.use(addKeyRoutes(passport, services));
  app.use(recoveryCodesRoutes(services));

  app.use(notFound);
  app.use(errorHandler);
  return app;
}
