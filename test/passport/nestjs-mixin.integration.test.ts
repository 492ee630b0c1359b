import { PassportStrategy } from '@nestjs/passport';
import express from 'express';
import passport from 'passport';
import request from 'supertest';
import { beforeEach, describe, expect, it } from 'vitest';
import { type YubikeyIdentity, YubikeyStrategy, type YubikeyStrategyOptions } from '../../src/index.js';
import { SoftYubikey } from '../../src/testing/index.js';
import { ALICE, Keyring } from '../support/passport/app.js';

/** The strategy of the NestJS recipe. */
class SecondFactorStrategy extends PassportStrategy(YubikeyStrategy, 'nest') {
  constructor(
    private readonly keyring: Keyring,
    options: YubikeyStrategyOptions,
  ) {
    super(options as YubikeyStrategyOptions & { passReqToCallback: false });
  }

  validate(identity: YubikeyIdentity) {
    return this.keyring.lookup(identity);
  }
}

/** Options as NestJS injects them: an instance of a class with accessors. */
class InjectedOptions implements YubikeyStrategyOptions {
  readonly #keyring: Keyring;

  constructor(keyring: Keyring) {
    this.#keyring = keyring;
  }

  get verifier() {
    return this.#keyring.verifier;
  }

  get secondFactor() {
    return true;
  }
}

describe("Nest's PassportStrategy mixin", () => {
  let keyring: Keyring;
  beforeEach(() => {
    keyring = new Keyring();
  });

  /** The answers to a sign-in of Alice with her key: as a second factor, and without a signed-in user. */
  async function signIns() {
    const alicesKey = await keyring.enrol(ALICE, new SoftYubikey());
    const app = express()
      .use(express.urlencoded())
      .post('/alice', (req, _res, next) => {
        req.user = ALICE;
        next();
      })
      .use(passport.authenticate('nest', { session: false, anOptionOfPassports: true } as object))
      .use((_req, res) => void res.sendStatus(204));
    const signIn = async (path: string) =>
      (await request(app).post(path).type('form').send({ otp: alicesKey.press() })).status;
    return { alice: await signIn('/alice'), stranger: await signIn('/stranger') };
  }

  it.each([
    ['an object', () => ({ verifier: keyring.verifier, secondFactor: true })],
    ['an instance of a class', () => new InjectedOptions(keyring)],
  ])('accepts options that are %s', async (_what, readOptions) => {
    new SecondFactorStrategy(keyring, readOptions());
    expect(await signIns()).toEqual({ alice: 204, stranger: 401 });
  });

  it.each([
    ['secondfactor', 'secondFactor'],
    ['passRequestToCallback', 'passReqToCallback'],
  ])('refuses %s, naming %s', (misspelt, known) => {
    const options = { verifier: keyring.verifier, [misspelt]: true };
    expect(() => new SecondFactorStrategy(keyring, options)).toThrow(
      new TypeError(`YubikeyStrategy has no option ${misspelt}: did you mean ${known}?`),
    );
  });
});
