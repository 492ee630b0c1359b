import type { RequestHandler } from 'express';
import { describe, expect, it, vi } from 'vitest';
import { completeSecondFactor } from '../../src/index.js';
import { ALICE, BOB, EXPRESSES } from '../support/passport/app.js';
import { HeldVerifier } from '../support/passport/held-verifier.js';
import {
  type OwnPassport,
  type SecondFactorAppOptions,
  secondFactorApp,
} from '../support/passport/second-factor-app.js';

const NOT_VERIFIED = { code: 'SECOND_FACTOR_NOT_VERIFIED' };
const NOT_ROTATED = { code: 'SESSION_NOT_ROTATED' };
const STRATEGY = 'yubikey-second-factor';

type Handlers = NonNullable<SecondFactorAppOptions['stepUpHandlers']>;

/** Continues with `then`, whatever the verdict about the OTP. */
const whatever =
  (own: OwnPassport, then: (...args: Parameters<RequestHandler>) => void): RequestHandler =>
  (req, res, next) =>
    own.authenticate(STRATEGY, () => then(req, res, next))(req, res, next);

describe.each(EXPRESSES)('no second factor is recorded on $version', ({ express }) => {
  async function signedIn(options: Partial<SecondFactorAppOptions> = {}) {
    const site = secondFactorApp({ express, ...options });
    const alice = site.browser();
    await alice.password('alice').expect(200);
    return { ...site, alice };
  }

  it('by a sign-in with only the key', async () => {
    const { browser, keyring } = secondFactorApp({ express });
    const alice = browser();
    await alice.post('/login/key-alone', { otp: (await keyring.enrol(ALICE)).press() }).expect(200);
    expect(await alice.session()).toMatchObject({ user: ALICE });
    await alice.secret().expect(403);
    await alice.post('/complete').expect(500, NOT_VERIFIED);
    await alice.secret().expect(403);
  });

  it('by a sign-in with only the key and completeSecondFactor', async () => {
    const { alice, keyring, browser } = await signedIn();
    const yubikey = await keyring.enrol(ALICE);
    for (const person of [alice, browser()]) {
      await person.post('/login/key-alone-completed', { otp: yubikey.press() }).expect(500, NOT_VERIFIED);
      await person.secret().expect(403);
    }
  });

  it('by completeSecondFactor without a strategy', async () => {
    const { alice, browser } = await signedIn();
    for (const person of [alice, browser()]) await person.post('/complete').expect(500, NOT_VERIFIED);
    await alice.secret().expect(403);
  });

  it('by a success in an earlier request', async () => {
    const stepUpHandlers: Handlers = (own) => [own.authenticate(STRATEGY)];
    const { alice, keyring } = await signedIn({ stepUpHandlers });
    await alice.yubikey(await keyring.enrol(ALICE)).expect(200);
    await alice.secret().expect(403);
    await alice.post('/complete').expect(500, NOT_VERIFIED);
    await alice.secret().expect(403);
  });

  it('twice by one success', async () => {
    const stepUpHandlers: Handlers = (own) => [
      own.authenticate(STRATEGY),
      completeSecondFactor(),
      completeSecondFactor(),
    ];
    const { alice, keyring } = await signedIn({ stepUpHandlers });
    await alice.yubikey(await keyring.enrol(ALICE)).expect(500, NOT_VERIFIED);
  });

  it('if a callback continues although the OTP was refused', async () => {
    const stepUpHandlers: Handlers = (own) => [
      whatever(own, (_req, _res, next) => next()),
      completeSecondFactor(),
    ];
    const { alice, keyring } = await signedIn({ stepUpHandlers });
    for (const typed of [await keyring.enrol(BOB), await keyring.enrol(undefined), 'hunter2']) {
      await alice.yubikey(typed).expect(500, NOT_VERIFIED);
      await alice.secret().expect(403);
    }
  });

  it('for another user that a callback signs in', async () => {
    const stepUpHandlers: Handlers = (own) => [
      whatever(own, (req, _res, next) => req.login(BOB, next)),
      completeSecondFactor(),
    ];
    const { alice, keyring } = await signedIn({ stepUpHandlers });
    await alice.yubikey(await keyring.enrol(ALICE));
    expect(await alice.session()).toMatchObject({ user: BOB });
    await alice.secret().expect(403);
  });

  it('for a user that was not signed in after the strategy', async () => {
    const stepUpHandlers: Handlers = (own) => [
      own.authenticate(STRATEGY),
      (req, _res, next) => req.logout(next),
      completeSecondFactor(),
    ];
    const { alice, keyring } = await signedIn({ stepUpHandlers });
    await alice.yubikey(await keyring.enrol(ALICE)).expect(500, NOT_VERIFIED);
    await alice.secret().expect(401);
  });

  it.each([
    ['yubikey', STRATEGY],
    [STRATEGY, 'yubikey'],
  ])('by the first strategy of %s and %s', async (...names) => {
    const stepUpHandlers: Handlers = (own) => [own.authenticate(names), completeSecondFactor()];
    const { alice, keyring } = await signedIn({ stepUpHandlers });
    expect((await alice.yubikey(await keyring.enrol(BOB))).status).toBeGreaterThanOrEqual(401);
    await alice.secret().expect(403);
  });

  it.each<[string, Handlers]>([
    ['session: false', (own) => [own.authenticate(STRATEGY, { session: false })]],
    ['passport.authorize', (own) => [own.authorize(STRATEGY)]],
    ['a callback that does not sign in', (own) => [whatever(own, (_req, _res, next) => next())]],
  ])('if the session was not rotated: %s', async (_how, handlers) => {
    const stepUpHandlers: Handlers = (own) => [...handlers(own), completeSecondFactor()];
    const { alice, keyring } = await signedIn({ stepUpHandlers });
    await alice.yubikey(await keyring.enrol(ALICE)).expect(500, NOT_ROTATED);
    expect((await alice.session()).secondFactor).toBeUndefined();
    await alice.secret().expect(403);
  });

  it('without session middleware, and the error names it', async () => {
    const user: RequestHandler = (req, _res, next) => {
      req.user = ALICE;
      next();
    };
    const stepUpHandlers: Handlers = (own) => [
      user,
      own.authenticate(STRATEGY, { session: false }),
      completeSecondFactor(),
    ];
    const { browser, keyring, errors } = secondFactorApp({ express, stepUpHandlers, withoutSession: true });
    const alice = browser();
    await alice.yubikey(await keyring.enrol(ALICE)).expect(500, NOT_ROTATED);
    expect((errors[0] as Error).message).toContain('express-session');
    await alice.secret().expect(401, { code: 'NOT_SIGNED_IN' });
  });

  it('in a session that has ended', async () => {
    const stepUpHandlers: Handlers = (own) => [
      own.authenticate(STRATEGY),
      (req, _res, next) => req.session.destroy(next),
      completeSecondFactor(),
    ];
    const { alice, keyring } = await signedIn({ stepUpHandlers });
    await alice.yubikey(await keyring.enrol(ALICE)).expect(500, NOT_ROTATED);
    await alice.secret().expect(401);
  });

  it('in the session of another user who signed in while the OTP was verified', async () => {
    const verifier = new HeldVerifier();
    const { alice: first, keyring, browser } = await signedIn({ verifier });
    const yubikey = await keyring.enrol(ALICE);
    const { sessionID } = await first.session();
    const stepUp = first.yubikey(yubikey).then(({ status }) => status);
    await verifier.arrived(yubikey);

    const second = browser();
    second.use(sessionID);
    await second.password('bob', { keepSessionInfo: true }).expect(200);
    verifier.accept(yubikey);

    expect(await stepUp).toBe(200);
    expect(await first.session()).toMatchObject({ user: ALICE, secondFactor: { userId: 'alice' } });
    const bobs = await second.session();
    expect(bobs.user).toEqual(BOB);
    expect(bobs.secondFactor).toBeUndefined();
    await second.secret().expect(403);
  });

  it('if the session cannot be rotated', async () => {
    const { alice, keyring, store } = await signedIn();
    const down = new Error('session store down');
    vi.spyOn(store, 'destroy').mockImplementation((_sessionID, done) => done?.(down));
    await alice.yubikey(await keyring.enrol(ALICE)).expect(500);
    await alice.secret().expect(401);
  });
});
