import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ALICE, EXPRESSES } from '../support/passport/app.js';
import {
  type SecondFactorAppOptions,
  secondFactorApp,
  stored,
} from '../support/passport/second-factor-app.js';

describe.each(EXPRESSES)('a second factor on $version', ({ express }) => {
  async function steppedUp(options: Partial<SecondFactorAppOptions> = {}) {
    const site = secondFactorApp({ express, ...options });
    const browser = site.browser();
    await browser.password('alice').expect(200);
    await browser.yubikey(await site.keyring.enrol(ALICE)).expect(200);
    await browser.secret().expect(200);
    return { ...site, browser };
  }

  const keep = { keepSessionInfo: true };

  describe.each([
    ['', {}],
    [' with keepSessionInfo', keep],
  ])('is voided%s by', (_how, options) => {
    it('signing out', async () => {
      const { browser } = await steppedUp();
      await browser.logout(options).expect(200);
      await browser.secret().expect(401, { code: 'NOT_SIGNED_IN' });
    });

    it('signing out and in again', async () => {
      const { browser } = await steppedUp();
      await browser.logout(options).expect(200);
      await browser.password('alice', options).expect(200);
      await browser.secret().expect(403, { code: 'SECOND_FACTOR_REQUIRED' });
    });

    it('a new sign-in', async () => {
      const { browser } = await steppedUp();
      await browser.password('alice', options).expect(200);
      await browser.secret().expect(403, { code: 'SECOND_FACTOR_REQUIRED' });
    });

    it('a change of user, and stays void if the first user returns', async () => {
      const { browser } = await steppedUp();
      await browser.password('bob', options).expect(200);
      await browser.secret().expect(403, { code: 'SECOND_FACTOR_REQUIRED' });
      await browser.password('alice', options).expect(200);
      await browser.secret().expect(403, { code: 'SECOND_FACTOR_REQUIRED' });
    });

    it('a change of user by a sign-in with only the key', async () => {
      const { browser, keyring } = await steppedUp();
      const otp = (await keyring.enrol(ALICE)).press();
      await browser.password('bob', options).expect(200);
      await browser.post('/login/key-alone', { otp }).expect(200);
      await browser.secret().expect(403, { code: 'SECOND_FACTOR_REQUIRED' });
    });
  });

  it('is carried over by keepSessionInfo, so the tests above test something', async () => {
    const { browser } = await steppedUp();
    await browser.password('bob', keep).expect(200);
    const { secondFactor, sessionID } = await browser.session();
    expect(secondFactor).toMatchObject({ userId: 'alice' });
    expect(secondFactor?.sessionId).not.toBe(sessionID);
  });

  it('is voided by a change of user with the same session ID', async () => {
    const { browser, store } = await steppedUp();
    const { sessionID } = await browser.session();
    const session = await stored(store, sessionID);
    store.set(sessionID, { ...session, passport: { user: 'bob' } } as never);
    expect(await browser.session()).toMatchObject({ sessionID, user: { id: 'bob' } });
    await browser.secret().expect(403, { code: 'SECOND_FACTOR_REQUIRED' });
  });

  it('does not count in a copy of the session with another ID', async () => {
    const { browser, store } = await steppedUp();
    const session = await stored(store, (await browser.session()).sessionID);
    store.set('copy', session as never);
    browser.use('copy');
    expect(await browser.session()).toMatchObject({ sessionID: 'copy', user: ALICE });
    await browser.secret().expect(403, { code: 'SECOND_FACTOR_REQUIRED' });
  });

  it.each([{ at: undefined }, { at: 'now' }, { userId: undefined }, { sessionId: undefined }])(
    'does not count if its record has %j',
    async (change) => {
      const { browser, store } = await steppedUp();
      const { sessionID, secondFactor } = await browser.session();
      const session = await stored(store, sessionID);
      store.set(sessionID, { ...session, secondFactor: { ...secondFactor, ...change } } as never);
      await browser.secret().expect(403, { code: 'SECOND_FACTOR_REQUIRED' });
    },
  );

  describe('with a clock', () => {
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 });
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    it('counts until it is maxAge old', async () => {
      const { browser } = await steppedUp({ require: { maxAge: 60_000 } });
      vi.setSystemTime(Date.now() + 60_000);
      await browser.secret().expect(200);
      vi.setSystemTime(Date.now() + 1);
      await browser.secret().expect(403, { code: 'SECOND_FACTOR_REQUIRED' });
    });

    it('counts again after another touch', async () => {
      const { browser, keyring } = await steppedUp({ require: { maxAge: 60_000 } });
      vi.setSystemTime(Date.now() + 60_001);
      await browser.yubikey(await keyring.enrol(ALICE)).expect(200);
      await browser.secret().expect(200);
    });

    it('counts as long as the session lasts without maxAge', async () => {
      const { browser } = await steppedUp();
      vi.setSystemTime(Date.now() + 365 * 24 * 3_600_000);
      await browser.secret().expect(200);
    });

    it.each([undefined, 60_000])(
      'does not count if the clock was set back, with maxAge %s',
      async (maxAge) => {
        const { browser } = await steppedUp(maxAge === undefined ? {} : { require: { maxAge } });
        vi.setSystemTime(Date.now() - 60_001);
        await browser.secret().expect(403, { code: 'SECOND_FACTOR_REQUIRED' });
      },
    );

    it('counts if it was made on a machine whose clock is up to a minute ahead', async () => {
      const { browser } = await steppedUp({ require: { maxAge: 60_000 } });
      vi.setSystemTime(Date.now() - 60_000);
      await browser.secret().expect(200);
    });
  });
});
