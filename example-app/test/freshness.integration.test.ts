import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { FRESHNESS } from '../src/guards.js';
import { type App, openApp, submit } from './support/application.js';
import { Person } from './support/person.js';

let app: App;

beforeAll(async () => {
  app = await openApp();
});
afterAll(() => app.close());
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const tenMinutesPass = () => vi.setSystemTime(Date.now() + FRESHNESS + 1000);

describe('ten minutes after the touch', () => {
  test('the account is still open, but its keys cannot be changed without another touch', async () => {
    const { person, key } = await Person.signUpWithKey(app);
    const spare = await app.newKey();
    await person.addKey(spare);
    const otp = (await app.newKey()).press();
    const forms: [string, Record<string, string>, string][] = [
      ['/account/keys/add', { name: 'Late', otp }, '/account/keys/add'],
      ['/account/keys/remove', { key: key.publicId }, '/account/keys'],
      ['/account/key-alone', { allowed: '1' }, '/account/keys'],
      ['/account/recovery-codes', {}, '/account/recovery-codes'],
    ];
    tenMinutesPass();
    expect(await person.redirectFrom('/account')).toBeUndefined();
    for (const [action, fields, page] of forms) {
      const response = await submit(person.browser, '/account/keys', fields, action);
      expect(response.headers.location).toBe(`/login/yubikey?next=${encodeURIComponent(page)}`);
    }
    const keys = await person.text('/account/keys');
    expect(keys).toContain(key.publicId);
    expect(keys).not.toContain(otp.slice(0, 12));
    expect(keys).toContain('Off: signing in takes');

    const sent = (await person.redirectFrom('/account/keys/add')) as string;
    expect(await person.text(sent)).toContain('name="next" value="/account/keys/add"');
    const touched = await submit(
      person.browser,
      sent,
      { otp: spare.press(), next: '/account/keys/add' },
      '/login/yubikey',
    );
    expect(touched.headers.location).toBe('/account/keys/add');
    expect((await person.addKey(await app.newKey())).status).toBe(302);
  });

  test.each(['https://evil.example/', '//evil.example', '/logout', '/account/keys/../../x', ''])(
    'the touch leads back to no page but the allowed ones: %j',
    async (next) => {
      const { person, key } = await Person.signUpWithKey(app);
      const response = await submit(person.browser, '/login/yubikey', { otp: key.press(), next });
      expect(response.headers.location).toBe('/account');
      const page = await person.text(`/login/yubikey?next=${encodeURIComponent(next)}`);
      expect(page).not.toContain('name="next"');
    },
  );
});

test('adding the first key needs the password again after ten minutes', async () => {
  const person = await Person.signUp(app);
  tenMinutesPass();
  const sent = (await person.redirectFrom('/account/keys/add')) as string;
  expect(sent).toBe('/login?again=1&next=%2Faccount%2Fkeys%2Fadd');
  const wrong = { username: person.name, password: 'not hers', next: '/account/keys/add' };
  const refused = await submit(person.browser, sent, wrong, '/login');
  expect(refused.status).toBe(401);
  expect(refused.text).toContain('name="next" value="/account/keys/add"');
  const right = await submit(person.browser, sent, { ...wrong, password: person.password }, '/login');
  expect(right.headers.location).toBe('/account/keys/add');
  expect((await person.addKey(await app.newKey())).status).toBe(302);
});

test('a recovery code opens nothing after ten minutes', async () => {
  const { person } = await Person.signUpWithKey(app);
  const [code] = (await person.newCodes()) as [string];
  const recovering = await person.elsewhere();
  await recovering.giveCode(code);
  expect(await recovering.redirectFrom('/account/keys/add')).toBeUndefined();
  tenMinutesPass();
  expect(await recovering.redirectFrom('/account/keys')).toBe('/login/yubikey');
  expect(await recovering.redirectFrom('/account/keys/add')).toMatch(/^\/login\/yubikey/);
});

test('removing the key that signed in ends the second factor', async () => {
  const { person, key } = await Person.signUpWithKey(app);
  const spare = await app.newKey();
  await person.addKey(spare);
  await person.removeKey(spare);
  expect(await person.redirectFrom('/account')).toBe('/login/yubikey');
  expect((await person.touch(key)).headers.location).toBe('/account');
});
