import { describe, expect, it } from 'vitest';
import type { UserId, Verifier } from '../../src/index.js';
import { ALICE, anOtp, credulousVerifier, EXPRESSES, verifierThatThrows } from '../support/passport/app.js';
import { type SecondFactorAppOptions, secondFactorApp } from '../support/passport/second-factor-app.js';

const NAMELESS = { alice: { name: 'alice' }, bob: { name: 'bob' } };
const byName: UserId = (user) => (user as { name: string }).name;
const asUserId = (userId: () => unknown) => userId as UserId;
const neverAsked: Verifier = verifierThatThrows(new Error('the verifier was asked'));

describe.each(EXPRESSES)('users are told apart on $version', ({ express }) => {
  async function signedIn(options: Partial<SecondFactorAppOptions> = {}) {
    const site = secondFactorApp({ express, ...options });
    const alice = site.browser();
    await alice.password('alice').expect(200);
    return { ...site, alice };
  }

  it('by the userId option if they have no id', async () => {
    const { alice, keyring } = await signedIn({ users: NAMELESS, userId: byName });
    await alice.yubikey(await keyring.enrol(NAMELESS.bob)).expect(401);
    await alice.secret().expect(403);
    await alice.yubikey(await keyring.enrol(NAMELESS.alice)).expect(200);
    expect((await alice.session()).secondFactor?.userId).toBe('alice');
    await alice.secret().expect(200);
  });

  it('by the userId option rather than by their id', async () => {
    const users = { alice: { id: 'same', name: 'alice' }, bob: { id: 'same', name: 'bob' } };
    const { alice, keyring } = await signedIn({ users, userId: byName });
    await alice.yubikey(await keyring.enrol(users.bob)).expect(401);
    await alice.yubikey(await keyring.enrol(users.alice)).expect(200);
  });

  it.each([0, 7, -1, 7n, 'é', 'constructor'])('by the id %s', async (id) => {
    const users = { alice: { name: 'alice' }, bob: { name: 'bob' } };
    const userId: UserId = (user) => (user === users.alice ? id : `not ${id}`);
    const { alice, keyring } = await signedIn({ users, userId });
    await alice.yubikey(await keyring.enrol(users.bob)).expect(401);
    await alice.yubikey(await keyring.enrol(users.alice)).expect(200);
    expect((await alice.session()).secondFactor?.userId).toBe(String(id));
    await alice.secret().expect(200);
  });

  it('never without an id: 500, and the OTP is not used up', async () => {
    const { alice, errors } = await signedIn({ users: NAMELESS, verifier: neverAsked });
    await alice.yubikey(anOtp()).expect(500, { code: 'USER_ID_MISSING' });
    expect((errors[0] as Error).message).toContain('userId');
    await alice.secret().expect(403);
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['empty text', ''],
    ['true', true],
    ['an object', {}],
    ['a list', ['alice']],
    ['a promise', Promise.resolve('alice')],
    ['a symbol', Symbol('alice')],
    ['a function', () => 'alice'],
  ])('never by %s: 500, and the OTP is not used up', async (_what, id) => {
    const { alice } = await signedIn({ userId: asUserId(() => id), verifier: neverAsked });
    await alice.yubikey(anOtp()).expect(500, { code: 'USER_ID_MISSING' });
    await alice.secret().expect(403);
  });

  it.each([new Error('no such field'), undefined, 'route'])(
    'never by a userId that throws, case %#, which is the cause',
    async (cause) => {
      const userId = asUserId(() => {
        throw cause;
      });
      const { alice, errors } = await signedIn({ userId, verifier: neverAsked });
      await alice.yubikey(anOtp()).expect(500, { code: 'USER_ID_MISSING' });
      expect(errors[0]).toMatchObject({ cause });
      await alice.secret().expect(403);
    },
  );

  it('never if only the owner of the key has no id', async () => {
    const users = { alice: ALICE, bob: { name: 'bob' } };
    const { alice, keyring } = await signedIn({ users });
    await alice.yubikey(await keyring.enrol(users.bob)).expect(500, { code: 'USER_ID_MISSING' });
    await alice.secret().expect(403);
  });

  it('never if the lookup returns something that is not a user object', async () => {
    const { alice, keyring } = await signedIn();
    await alice.yubikey(await keyring.enrol('alice' as unknown as object)).expect(500);
    await alice.secret().expect(403);
  });

  it.each([
    ['returns no id', () => undefined],
    ['returns NaN', () => Number.NaN],
    [
      'throws undefined',
      () => {
        throw undefined;
      },
    ],
    [
      "throws Express's word for going on",
      () => {
        throw 'route';
      },
    ],
  ])('never if the userId of requireSecondFactor %s, and the route stays closed', async (_how, userId) => {
    const { alice, keyring } = await signedIn({ require: { userId: asUserId(userId) } });
    await alice.yubikey(await keyring.enrol(ALICE)).expect(200);
    await alice.secret().expect(500, { code: 'USER_ID_MISSING' });
  });

  it('only if requireSecondFactor has the same userId as the strategy', async () => {
    const { alice, keyring } = await signedIn({ require: { userId: () => 'somebody' } });
    await alice.yubikey(await keyring.enrol(ALICE)).expect(200);
    await alice.secret().expect(403);
  });

  it('without calling userId if the key is not a second factor', async () => {
    const { browser, keyring } = secondFactorApp({ express, users: NAMELESS });
    const otp = (await keyring.enrol(NAMELESS.alice)).press();
    await browser().post('/login/key-alone', { otp }).expect(200);
  });
});

it('asks the verifier if ids are valid', async () => {
  const [{ express }] = EXPRESSES as [(typeof EXPRESSES)[number]];
  const verifier = credulousVerifier();
  const alice = secondFactorApp({ express, verifier }).browser();
  await alice.password('alice');
  await alice.yubikey(anOtp()).expect(401);
  expect(verifier.asked).toHaveLength(1);
});
