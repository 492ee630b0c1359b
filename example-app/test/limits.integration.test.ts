import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type App, type Browser, openApp, readToken, submit, submitPassword } from './support/application.js';
import { Person } from './support/person.js';

let app: App;

beforeAll(async () => {
  app = await openApp();
  app.listener.set('trust proxy', 1);
});
afterAll(() => app.close());

function browserAt(address: string): Browser {
  const browser = app.openBrowser();
  browser.set('X-Forwarded-For', address);
  return browser;
}

/** Sends a form fifty times with different fields, and counts the responses by status. */
async function guess(browser: Browser, page: string, fields: (guess: number) => Record<string, string>) {
  const _csrf = await readToken(browser, page);
  const counts: Record<number, number> = {};
  for (let index = 0; index < 50; index++) {
    const { status } = await browser
      .post(page)
      .type('form')
      .send({ _csrf, ...fields(index) });
    counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
}

describe('fifty guesses', () => {
  test.each([
    ['at a password', 'alice', '192.0.2.1'],
    ['at an unknown name', 'mallory', '192.0.2.2'],
  ])('%s: ten are checked', async (_what, username, address) => {
    const browser = browserAt(address);
    const answers = await guess(browser, '/login', (index) => ({ username, password: `guess ${index}` }));
    expect(answers).toEqual({ 401: 10, 429: 40 });
    const late = await submitPassword(browser, username, 'wonderland');
    expect(late.status).toBe(429);
    expect(Number(late.headers['retry-after'])).toBeGreaterThan(0);
    expect(late.text).toMatch(/Too many attempts. Please try again in 1[45] minutes/);
  });

  test('lock out neither the owner at another address nor other users at the same one', async () => {
    const bob = await Person.signUp(app);
    const same = await submitPassword(browserAt('192.0.2.1'), bob.name, bob.password);
    expect(same.headers.location).toBe('/account');
    const elsewhere = await submitPassword(browserAt('192.0.2.3'), 'alice', 'wonderland');
    expect(elsewhere.headers.location).toBe('/login/yubikey');
    const spelled = await submitPassword(browserAt('192.0.2.1'), 'ALICE', 'wonderland');
    expect(spelled.status).toBe(429);
  });

  test('from one IPv6 network are counted together', async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        submitPassword(browserAt(`2001:db8::${index + 1}`), 'mallory', 'guess'),
      ),
    );
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(2);
  });

  test('at a key: thirty are checked, and the owner can sign in at another address', async () => {
    const { person, key } = await Person.signUpWithKey(app);
    const thief = browserAt('192.0.2.4');
    await submitPassword(thief, person.name, person.password);
    const stranger = new SoftYubikey({ publicId: key.publicId });
    expect(await guess(thief, '/login/yubikey', () => ({ otp: stranger.press() }))).toEqual({
      401: 30,
      429: 20,
    });
    await person.signInElsewhere(key);
  });

  test('at a recovery code: ten are checked, and the key still signs in', async () => {
    const { person, key } = await Person.signUpWithKey(app);
    const [code] = (await person.newCodes()) as [string];
    const thief = await person.elsewhere();
    const answers = await guess(thief.browser, '/login/recovery', (index) => ({ code: `guess-${index}` }));
    expect(answers).toEqual({ 401: 10, 429: 40 });
    expect((await thief.giveCode(code)).status).toBe(429);
    expect((await thief.touch(key)).headers.location).toBe('/account');
  });

  test('at a key alone: forty are checked', async () => {
    const { key } = await Person.signUpWithKey(app);
    const browser = browserAt('192.0.2.5');
    const _csrf = await readToken(browser, '/login');
    const statuses: number[] = [];
    for (let index = 0; index < 50; index++) {
      const otp = new SoftYubikey({ publicId: key.publicId }).press();
      statuses.push((await browser.post('/login/key').type('form').send({ _csrf, otp })).status);
    }
    expect(statuses).toEqual([...Array(40).fill(401), ...Array(10).fill(429)]);
  });

  test('the right password resets the count', async () => {
    const bob = await Person.signUp(app);
    for (let round = 0; round < 3; round++) {
      for (let index = 0; index < 4; index++) {
        const browser = browserAt('192.0.2.6');
        expect((await submitPassword(browser, bob.name, 'wrong')).status).toBe(401);
      }
      expect((await submitPassword(browserAt('192.0.2.6'), bob.name, bob.password)).status).toBe(302);
    }
  });
});

test('an address can try to sign up forty times', async () => {
  const browser = browserAt('192.0.2.7');
  const short = { username: 'x', password: 'short' };
  const statuses: number[] = [];
  for (let index = 0; index < 42; index++) statuses.push((await submit(browser, '/sign-up', short)).status);
  expect(statuses).toEqual([...Array(40).fill(400), 429, 429]);
});
