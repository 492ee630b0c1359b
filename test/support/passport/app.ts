import { createRequire } from 'node:module';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import passport, { type AuthenticateOptions } from 'passport';
import request from 'supertest';
import {
  KsmVerifier,
  LocalKsm,
  MemoryStore,
  type Otp,
  type Verification,
  type Verifier,
  type YubikeyIdentity,
  type YubikeyStrategy,
} from '../../../src/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';

export type Express = typeof express;

export const EXPRESSES = [
  { version: 'Express 5', express },
  { version: 'Express 4', express: createRequire(import.meta.url)('express4') as Express },
];

export interface User {
  id: string;
}

export const ALICE: User = { id: 'alice' };
export const BOB: User = { id: 'bob' };

/** Users, their keys, and a verifier that knows the keys. */
export class Keyring {
  readonly #store = new MemoryStore();
  readonly #owners = new Map<string, object>();
  readonly verifier = new KsmVerifier({
    ksm: new LocalKsm(this.#store.keys),
    counters: this.#store.counters,
  });
  readonly lookup = async ({ publicId }: YubikeyIdentity) => this.#owners.get(publicId);

  async enrol(user: object | undefined, yubikey = new SoftYubikey()): Promise<SoftYubikey> {
    await this.#store.keys.add(yubikey);
    if (user) this.#owners.set(yubikey.publicId, user);
    return yubikey;
  }
}

/** Accepts every OTP, and records them. */
export function credulousVerifier(): Verifier & { asked: Otp[] } {
  const asked: Otp[] = [];
  const verify = async (otp: Otp): Promise<Verification> => {
    asked.push(otp);
    return { ok: true, identity: { publicId: otp.publicId } };
  };
  return { asked, verify };
}

export function verifierThatThrows(error: unknown): Verifier {
  return { verify: () => Promise.reject(error) };
}

export function verifierThatRefuses(reason: Extract<Verification, { ok: false }>['reason']): Verifier {
  return { verify: async () => ({ ok: false, reason }) };
}

export const anOtp = () => new SoftYubikey().press();

export type Way = 'name' | 'instance';
export const WAYS: readonly Way[] = ['name', 'instance'];

/** How an app uses the strategy with Passport: by name, or as an instance. */
export function authenticator(strategy: YubikeyStrategy, way: Way = 'name') {
  const own = new passport.Passport();
  if (way === 'name') own.use(strategy);
  return (options: AuthenticateOptions = { session: false }): RequestHandler =>
    own.authenticate(way === 'name' ? strategy.name : strategy, options);
}

export type Reached = { user: unknown } | { error: unknown };

export interface SignInAppOptions {
  way?: Way | undefined;
  parsers?: RequestHandler[] | undefined;
  authenticate?: RequestHandler | undefined;
}

/** POST /login signs in and answers with the user. `reached` lists the calls of the app's own handlers. */
export function signInApp(express: Express, strategy: YubikeyStrategy, options: SignInAppOptions = {}) {
  const {
    parsers = [express.json(), express.urlencoded({ extended: true })],
    authenticate = authenticator(strategy, options.way)(),
  } = options;
  const reached: Reached[] = [];
  const app = express();
  for (const parser of parsers) app.use(parser);
  app.post('/login', authenticate, (req, res) => {
    reached.push({ user: req.user });
    res.json(req.user);
  });
  app.use(errorHandler((error) => reached.push({ error })));
  return { app, reached };
}

export function errorHandler(note: (error: unknown) => void): ErrorRequestHandler {
  return (error, _req, res, _next) => {
    note(error);
    res.status(error?.status ?? 500).json({ code: error?.code });
  };
}

export function logIn(app: Parameters<typeof request>[0], body: object) {
  return request(app).post('/login').send(body);
}
