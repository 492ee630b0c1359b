import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  type App,
  type Browser,
  type Fields,
  newDatabaseFile,
  openApp,
  openBrowserWithPassword,
  requireDemo,
  submit,
  submitOtp,
  submitPassword,
  touch,
} from './support/application.js';

let app: App;
let browser: Browser;

beforeAll(async () => {
  app = await openApp();
});
beforeEach(() => {
  browser = app.openBrowser();
});
afterAll(() => app.close());

describe('a whole sign-in', () => {
  test('password, touch, account', async () => {
    await browser.get('/').expect(302).expect('Location', '/login');
    const { name, password } = requireDemo(app);

    const afterPassword = await submitPassword(browser, name, password);
    expect(afterPassword.status).toBe(302);
    expect(afterPassword.headers.location).toBe('/login/yubikey');

    const otp = await touch(app);
    const afterTouch = await submitOtp(browser, otp);
    expect(afterTouch.status).toBe(302);
    expect(afterTouch.headers.location).toBe('/account');

    const account = await browser.get('/account').expect(200).expect('Content-Type', /html/);
    expect(account.text).toContain(name);
    expect(account.text).toContain(otp.slice(0, 12));
    expect(account.text).toMatch(/<time datetime="\d{4}-/);
    expect(account.text).not.toContain(otp);
  });

  test('the session gets a new ID at each step', async () => {
    const { name, password } = requireDemo(app);
    const steps = [
      await browser.get('/login'),
      await submitPassword(browser, name, password),
      await submitOtp(browser, await touch(app)),
    ];
    const ids = steps.map(({ headers }) => headers['set-cookie']?.[0]?.split(';')[0]);
    expect(ids).not.toContain(undefined);
    expect(new Set(ids).size).toBe(3);
  });

  test('the URL that a phone reads and an OTP in capitals are accepted', async () => {
    const signedIn = await openBrowserWithPassword(app);
    const url = await submitOtp(signedIn, `https://my.yubico.com/yk/#${await touch(app)}`);
    expect(url.headers.location).toBe('/account');
    const capitals = await submitOtp(signedIn, ` ${(await touch(app)).toUpperCase()}\n`);
    expect(capitals.headers.location).toBe('/account');
  });

  test('the attributes of the OTP field suit a key', async () => {
    const signedIn = await openBrowserWithPassword(app);
    const { text } = await signedIn.get('/login/yubikey').expect(200);
    const field = /<input id="otp"[^>]*>/.exec(text)?.[0];
    expect(field).toContain('autocomplete="one-time-code"');
    expect(field).toContain('autocapitalize="off"');
    expect(field).toContain('spellcheck="false"');
    expect(field).toContain('autofocus');
  });
});

describe('the password', () => {
  test('a wrong one and an unknown user get the same response', async () => {
    const { name } = requireDemo(app);
    const wrong = await submitPassword(browser, name, 'looking-glass');
    const unknown = await submitPassword(app.openBrowser(), 'mallory', 'looking-glass');
    expect([wrong.status, unknown.status]).toEqual([401, 401]);
    const words = 'This user name and password do not match.';
    expect(wrong.text).toContain(words);
    expect(unknown.text).toContain(words);
    expect(wrong.text).toContain(`value="${name}"`);
  });

  test('an unknown user costs the same work as a wrong password', async () => {
    const hashes = vi.spyOn(crypto, 'scrypt');
    syncBuiltinESMExports();
    onTestFinished(() => {
      hashes.mockRestore();
      syncBuiltinESMExports();
    });
    const workFor = async (name: string) => {
      hashes.mockClear();
      expect(await app.accounts.checkPassword(name, 'looking-glass')).toBeUndefined();
      return hashes.mock.calls.map(([password, salt, length, cost]) => ({
        password,
        salt: (salt as Buffer).length,
        length,
        cost,
      }));
    };
    const known = await workFor('alice');
    expect(known).toMatchObject([{ password: 'looking-glass', salt: 16, cost: { N: expect.any(Number) } }]);
    expect(await workFor('mallory')).toEqual(known);
  });

  test.each<Fields>([{ username: 'alice' }, { password: 'wonderland' }, { username: '', password: '' }])(
    'an incomplete form is shown again: %j',
    async (fields) => {
      const response = await submit(browser, '/login', fields);
      expect(response.status).toBe(400);
      expect(response.text).toContain('Type your user name and your password.');
    },
  );

  test('a field that is sent twice is refused with 400', async () => {
    const fields: Fields = [
      ['username', 'alice'],
      ['username', 'bob'],
      ['password', 'wonderland'],
      ['password', 'wonderland'],
    ];
    expect((await submit(browser, '/login', fields)).status).toBe(400);
  });

  test('a user name is escaped', async () => {
    const response = await submitPassword(browser, '"><script>alert(1)</script>', 'looking-glass');
    expect(response.text).not.toContain('<script>alert');
  });
});

describe('without the second step', () => {
  test('a visitor is sent to the first step', async () => {
    await browser.get('/account').expect(302).expect('Location', '/login');
    await browser.get('/login/yubikey').expect(302).expect('Location', '/login');
  });

  test('a password alone opens nothing', async () => {
    const halfway = await openBrowserWithPassword(app);
    await halfway.get('/account').expect(302).expect('Location', '/login/yubikey');
    await halfway.get('/login/yubikey').expect(200);
  });

  test('an OTP without a password opens nothing', async () => {
    const response = await submit(browser, '/login', { otp: await touch(app) }, '/login/yubikey');
    expect(response.status).toBe(302);
    expect(response.headers.location).toBe('/login');
  });

  test('signing out ends the session, even for an attacker who kept the cookie', async () => {
    const signedIn = await openBrowserWithPassword(app);
    const touched = await submitOtp(signedIn, await touch(app));
    const cookie = String(touched.headers['set-cookie']?.[0]).split(';')[0] as string;
    await app.openBrowser().get('/account').set('Cookie', cookie).expect(200);

    expect((await submit(signedIn, '/account', {}, '/logout')).headers.location).toBe('/login');

    await signedIn.get('/account').expect(302);
    await app.openBrowser().get('/account').set('Cookie', cookie).expect(302);
  });

  test('signing in again requires it again', async () => {
    const signedIn = await openBrowserWithPassword(app);
    await submitOtp(signedIn, await touch(app));
    const { name: username, password } = requireDemo(app);
    await submit(signedIn, '/account', { username, password }, '/login');
    await signedIn.get('/account').expect(302).expect('Location', '/login/yubikey');
  });
});

describe('a restart', () => {
  test('keeps the counters, the user and the key', async () => {
    const DATABASE_FILE = newDatabaseFile();
    const first = await openApp({ DATABASE_FILE });
    const used = await touch(first);
    expect((await submitOtp(await openBrowserWithPassword(first), used)).headers.location).toBe('/account');
    await first.close();

    const second = await openApp({ DATABASE_FILE });
    const signedIn = await openBrowserWithPassword(second);
    expect((await submitOtp(signedIn, used)).status).toBe(401);
    expect((await submitOtp(signedIn, (await requireDemo(second).yubikeys.replay()) as string)).status).toBe(
      401,
    );
    const fresh = await touch(second);
    expect(fresh.slice(0, 12)).toBe(used.slice(0, 12));
    expect((await submitOtp(signedIn, fresh)).headers.location).toBe('/account');
    await second.close();
  });
});
