import { createHmac } from 'node:crypto';
import type { RequestHandler } from 'express';
import session, { MemoryStore, type SessionData } from 'express-session';
import passport, { type AuthenticateOptions } from 'passport';
import request from 'supertest';
import {
  completeSecondFactor,
  type RequireSecondFactorOptions,
  requireSecondFactor,
  type SecondFactor,
  type UserId,
  type Verifier,
  YubikeyStrategy,
} from '../../../src/index.js';
import type { SoftYubikey } from '../../../src/testing/index.js';
import { ALICE, BOB, type Express, errorHandler, Keyring } from './app.js';

const SECRET = 'cookie secret';

export type OwnPassport = InstanceType<typeof passport.Passport>;

export interface SecondFactorAppOptions {
  express: Express;
  /** The users by the name that they sign in with. */
  users?: Record<string, object> | undefined;
  userId?: UserId | undefined;
  verifier?: Verifier | undefined;
  require?: RequireSecondFactorOptions | undefined;
  stepUp?: AuthenticateOptions | undefined;
  /** Handlers instead of Passport's step-up and completeSecondFactor. */
  stepUpHandlers?: ((own: OwnPassport) => RequestHandler[]) | undefined;
  withoutSession?: boolean | undefined;
}

/** The answer of GET /session. */
interface Seen {
  user?: { id: string } | undefined;
  sessionID: string;
  secondFactor?: SecondFactor | undefined;
}

/** A typical app, with a password and then a YubiKey. */
export function secondFactorApp(options: SecondFactorAppOptions) {
  const { express, users = { alice: ALICE, bob: BOB }, userId, stepUp = {}, withoutSession } = options;
  const keyring = new Keyring();
  const store = new MemoryStore();
  const errors: unknown[] = [];
  const verifier = options.verifier ?? keyring.verifier;

  const own = new passport.Passport();
  own.serializeUser((user, done) => done(null, findName(users, user)));
  own.deserializeUser((name: string, done) => done(null, users[name] ?? false));
  const secondFactor = {
    verifier,
    secondFactor: true,
    name: 'yubikey-second-factor',
    userId,
  };
  own.use(new YubikeyStrategy(secondFactor, keyring.lookup));
  own.use(new YubikeyStrategy({ verifier }, keyring.lookup));

  const app = express();
  app.use(express.json());
  if (!withoutSession) {
    app.use(session({ store, secret: SECRET, resave: false, saveUninitialized: false }));
    app.use(own.session());
  }
  const ok: RequestHandler = (_req, res) => void res.json('ok');

  app.post('/login/password', own.initialize(), (req, res, next) => {
    req.login(users[req.body.name] as Express.User, { ...req.body.options }, (error) =>
      error ? next(error) : ok(req, res, next),
    );
  });
  app.post('/logout', (req, res, next) => {
    req.logout({ ...req.body.options }, (error) => (error ? next(error) : ok(req, res, next)));
  });
  const handlers = options.stepUpHandlers?.(own) ?? [
    own.authenticate('yubikey-second-factor', stepUp),
    completeSecondFactor(),
  ];
  app.post('/login/yubikey', ...handlers, ok);
  app.post('/login/key-alone', own.authenticate('yubikey'), ok);
  app.post('/login/key-alone-completed', own.authenticate('yubikey'), completeSecondFactor(), ok);
  app.post('/complete', completeSecondFactor(), ok);
  app.get('/secret', requireSecondFactor({ userId, ...options.require }), ok);
  app.get('/session', (req, res) => {
    const { secondFactor } = req.session as { secondFactor?: SecondFactor | undefined };
    res.json({ user: req.user, sessionID: req.sessionID, secondFactor });
  });
  app.use(errorHandler((error) => errors.push(error)));

  return { app, errors, keyring, store, verifier, browser: () => new Browser(app) };
}

function findName(users: Record<string, object>, user: object): string | undefined {
  return Object.keys(users).find((name) => users[name] === user);
}

/** A browser that keeps cookies. */
class Browser {
  readonly #agent: ReturnType<typeof request.agent>;

  constructor(app: Parameters<typeof request.agent>[0]) {
    this.#agent = request.agent(app);
  }

  post(path: string, body: object = {}) {
    return this.#agent.post(path).send(body);
  }

  password(name: string, options: object = {}) {
    return this.post('/login/password', { name, options });
  }

  yubikey(yubikey: SoftYubikey | string) {
    return this.post('/login/yubikey', { otp: typeof yubikey === 'string' ? yubikey : yubikey.press() });
  }

  logout(options: object = {}) {
    return this.post('/logout', { options });
  }

  secret() {
    return this.#agent.get('/secret');
  }

  async session(): Promise<Seen> {
    return (await this.#agent.get('/session').expect(200)).body;
  }

  use(sessionID: string): void {
    this.#agent.jar.setCookie(signCookie(sessionID), '127.0.0.1', '/');
  }
}

/** Signs a session cookie as express-session does. */
function signCookie(sessionID: string): string {
  const signature = createHmac('sha256', SECRET).update(sessionID).digest('base64').replace(/=+$/, '');
  return `connect.sid=${encodeURIComponent(`s:${sessionID}.${signature}`)}`;
}

export function stored(store: MemoryStore, sessionID: string): Promise<SessionData | null | undefined> {
  return new Promise((resolve, reject) => {
    store.get(sessionID, (error, data) => (error ? reject(error) : resolve(data)));
  });
}
