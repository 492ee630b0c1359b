import { describe, expect, it } from 'vitest';
import { completeSecondFactor } from '../../src/index.js';
import { ALICE, BOB, credulousVerifier, EXPRESSES } from '../support/passport/app.js';
import { secondFactorApp, stored } from '../support/passport/second-factor-app.js';

describe.each(EXPRESSES)('a second factor on $version', ({ express }) => {
  async function aliceSignedIn(options = {}) {
    const site = secondFactorApp({ express, ...options });
    const alice = site.browser();
    await alice.password('alice').expect(200);
    return { ...site, alice };
  }

  it('opens routes that need one', async () => {
    const { alice, keyring } = await aliceSignedIn();
    await alice.secret().expect(403, { code: 'SECOND_FACTOR_REQUIRED' });
    await alice.yubikey(await keyring.enrol(ALICE)).expect(200);
    await alice.secret().expect(200);
  });

  it('may be made with any key of a user', async () => {
    const { alice, keyring } = await aliceSignedIn();
    const [, spare] = [await keyring.enrol(ALICE), await keyring.enrol(ALICE)];
    await alice.yubikey(spare).expect(200);
    await alice.secret().expect(200);
  });

  it('gives the session a new ID, and ends the old one', async () => {
    const { alice, keyring, browser } = await aliceSignedIn();
    const before = await alice.session();
    await alice.yubikey(await keyring.enrol(ALICE)).expect(200);
    const after = await alice.session();
    expect(after.user).toEqual(before.user);
    expect(after.sessionID).not.toBe(before.sessionID);

    const other = browser();
    other.use(before.sessionID);
    await other.secret().expect(401, { code: 'NOT_SIGNED_IN' });
  });

  it('is recorded in the session with user, session, key, time and method', async () => {
    const { alice, keyring } = await aliceSignedIn();
    const yubikey = await keyring.enrol(ALICE);
    const earliest = Date.now();
    await alice.yubikey(yubikey).expect(200);
    const { sessionID, secondFactor } = await alice.session();
    expect(secondFactor).toEqual({
      userId: ALICE.id,
      sessionId: sessionID,
      publicId: yubikey.publicId,
      at: expect.any(Number),
      amr: ['otp', 'mfa'],
    });
    expect(secondFactor?.at).toBeGreaterThanOrEqual(earliest);
    expect(secondFactor?.at).toBeLessThanOrEqual(Date.now());
  });

  it('is saved before the app answers, so that a redirected request has it', async () => {
    const saved: unknown[] = [];
    const site = secondFactorApp({
      express,
      stepUpHandlers: (own) => [
        own.authenticate('yubikey-second-factor'),
        completeSecondFactor(),
        async (req, _res, next) => {
          saved.push((await stored(site.store, req.sessionID))?.secondFactor);
          next();
        },
      ],
    });
    const alice = site.browser();
    await alice.password('alice').expect(200);
    await alice.yubikey(await site.keyring.enrol(ALICE)).expect(200);
    expect(saved).toEqual([(await alice.session()).secondFactor]);
  });

  it('is not recorded if the session cannot be saved', async () => {
    const { alice, keyring, store } = await aliceSignedIn();
    const set = store.set.bind(store);
    store.set = (id, session, done) =>
      'secondFactor' in session ? done?.(new Error('The store is full')) : set(id, session, done);
    await alice.yubikey(await keyring.enrol(ALICE)).expect(500);
    await alice.secret().expect(403);
  });

  it('may be made again, with a new time and session', async () => {
    const { alice, keyring } = await aliceSignedIn();
    const yubikey = await keyring.enrol(ALICE);
    await alice.yubikey(yubikey).expect(200);
    const first = await alice.session();
    await alice.yubikey(yubikey).expect(200);
    const second = await alice.session();
    expect(second.secondFactor?.sessionId).toBe(second.sessionID);
    expect(second.sessionID).not.toBe(first.sessionID);
    await alice.secret().expect(200);
  });

  it('keeps the rest of the session with keepSessionInfo, and counts', async () => {
    const { alice, keyring } = await aliceSignedIn({ stepUp: { keepSessionInfo: true } });
    const yubikey = await keyring.enrol(ALICE);
    await alice.yubikey(yubikey).expect(200);
    await alice.yubikey(yubikey).expect(200);
    const { sessionID, secondFactor } = await alice.session();
    expect(secondFactor?.sessionId).toBe(sessionID);
    await alice.secret().expect(200);
  });

  it('is refused with 401 without a signed-in user, and the OTP is not used up', async () => {
    const { keyring, browser } = secondFactorApp({ express });
    const otp = (await keyring.enrol(ALICE)).press();
    const alice = browser();
    await alice.yubikey(otp).expect(401, 'Unauthorized');
    await alice.secret().expect(401, { code: 'NOT_SIGNED_IN' });
    expect((await alice.session()).user).toBeUndefined();

    await alice.password('alice').expect(200);
    await alice.yubikey(otp).expect(200);
  });

  it.each([
    ['another user', BOB],
    ['nobody', undefined],
  ])('is refused with 401 if the key belongs to %s', async (_whose, owner) => {
    const { alice, keyring } = await aliceSignedIn();
    const before = await alice.session();
    await alice.yubikey(await keyring.enrol(owner)).expect(401, 'Unauthorized');
    expect(await alice.session()).toEqual(before);
    expect(before.user).toEqual(ALICE);
    await alice.secret().expect(403);
  });

  it('is refused with 400 without an OTP, and the verifier is not asked', async () => {
    const verifier = credulousVerifier();
    const { alice } = await aliceSignedIn({ verifier });
    await alice.post('/login/yubikey').expect(400);
    await alice.yubikey('hunter2').expect(400);
    expect(verifier.asked).toEqual([]);
    await alice.secret().expect(403);
  });

  it('is refused with 401 for an OTP that was used before', async () => {
    const { alice, keyring } = await aliceSignedIn();
    const otp = (await keyring.enrol(ALICE)).press();
    await alice.yubikey(otp).expect(200);
    await alice.password('alice').expect(200);
    await alice.yubikey(otp).expect(401);
    await alice.secret().expect(403);
  });

  it('survives a later failed attempt', async () => {
    const { alice, keyring } = await aliceSignedIn();
    await alice.yubikey(await keyring.enrol(ALICE)).expect(200);
    await alice.yubikey(await keyring.enrol(BOB)).expect(401);
    await alice.secret().expect(200);
  });

  it('of one user does not count for another while both are made at once', async () => {
    const { browser, keyring } = secondFactorApp({ express });
    const people = await Promise.all(
      [ALICE, BOB].map(async (user) => ({ user, browser: browser(), yubikey: await keyring.enrol(user) })),
    );
    for (const { browser, user } of people) await browser.password(user.id).expect(200);
    await Promise.all(people.map(({ browser, yubikey }) => browser.yubikey(yubikey).expect(200)));
    for (const { browser, user, yubikey } of people) {
      const { user: signedIn, secondFactor } = await browser.session();
      expect(signedIn).toEqual(user);
      expect(secondFactor).toMatchObject({ userId: user.id, publicId: yubikey.publicId });
      await browser.secret().expect(200);
    }
  });
});
