import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  type App,
  type Browser,
  brokenVerifier,
  type Fields,
  newKey,
  openApp,
  openBrowserWithPassword,
  submitOtp,
  touch,
} from './support/application.js';
import { Person } from './support/person.js';

let app: App;
let browser: Browser;

beforeAll(async () => {
  app = await openApp();
  browser = await openBrowserWithPassword(app);
});
afterAll(() => app.close());

const NOT_ACCEPTED = 'This one-time password was not accepted. Touch your key again.';
const NOT_AN_OTP = 'This is not what a YubiKey types.';

type Page = Awaited<ReturnType<typeof submitOtp>>;

function expectFormAgain(response: Page, status: number, words: string): void {
  expect(response.status).toBe(status);
  expect(response.headers['content-type']).toMatch(/^text\/html/);
  expect(response.text).toMatch(/role="alert"/);
  expect(response.text).toContain(words);
  expect(response.text).not.toMatch(/node_modules|at \w+ \(/);
  expect(/<input id="otp"[^>]*>/.exec(response.text)?.[0]).toMatch(/value="" .*autofocus/);
}

describe('an OTP that is refused', () => {
  test('that was used before', async () => {
    const otp = await touch(app);
    const first = await openBrowserWithPassword(app);
    expect((await submitOtp(first, otp)).headers.location).toBe('/account');
    const again = await openBrowserWithPassword(app);
    expectFormAgain(await submitOtp(again, otp), 401, NOT_ACCEPTED);
    await again.get('/account').expect(302);
  });

  test('older than one that was used', async () => {
    const older = await touch(app);
    await submitOtp(await openBrowserWithPassword(app), await touch(app));
    expectFormAgain(await submitOtp(browser, older), 401, NOT_ACCEPTED);
  });

  test('of a key that is not registered', async () => {
    expectFormAgain(await submitOtp(browser, new SoftYubikey().press()), 401, NOT_ACCEPTED);
  });

  test("of another user's key", async () => {
    const { key: bobsKey } = await Person.signUpWithKey(app);
    expectFormAgain(await submitOtp(browser, bobsKey.press()), 401, NOT_ACCEPTED);
    await browser.get('/account').expect(302);
  });

  test('of a key that the app can check but that belongs to no account', async () => {
    const lostKey = await newKey(app);
    expectFormAgain(await submitOtp(browser, lostKey.press()), 401, NOT_ACCEPTED);
  });

  test('with one letter changed', async () => {
    const otp = await touch(app);
    const changed = otp.slice(0, -1) + (otp.endsWith('c') ? 'b' : 'c');
    expectFormAgain(await submitOtp(browser, changed), 401, NOT_ACCEPTED);
  });

  test('gets the same page for every reason', async () => {
    const page = async (otp: string) => (await submitOtp(browser, otp)).text.replaceAll(/value="\w+"/g, '');
    const used = await touch(app);
    await submitOtp(await openBrowserWithPassword(app), used);
    expect(await page(used)).toBe(await page(new SoftYubikey().press()));
  });
});

describe('input that is not an OTP', () => {
  test.each<[string, Fields]>([
    ['nothing', {}],
    ['an empty field', { otp: '' }],
    ['blanks', { otp: '   ' }],
    ['a word', { otp: 'hello' }],
    ['too few letters', { otp: 'c'.repeat(31) }],
    ['too many letters', { otp: 'c'.repeat(49) }],
    ['digits', { otp: '0'.repeat(44) }],
    ['a null character', { otp: `\0${'c'.repeat(43)}` }],
    ['an array', { 'otp[]': 'x' }],
    ['an array with an OTP in it', { 'otp[]': 'c'.repeat(44) }],
    ['an object', { 'otp[a]': 'b' }],
    ['the field twice', ['otp', 'otp'].map((name) => [name, 'c'.repeat(44)] as [string, string])],
    ['names of the prototype', { ['__proto__']: 'x', constructor: 'x', toString: 'x' }],
    ['nine thousand letters', { otp: 'c'.repeat(9_000) }],
  ])('%s gets status 400 and a page', async (_what, fields) => {
    expectFormAgain(await submitOtp(browser, fields), 400, NOT_AN_OTP);
  });

  test('one megabyte gets status 400 and a page', async () => {
    expectFormAgain(await submitOtp(browser, 'c'.repeat(2 ** 20)), 400, NOT_AN_OTP);
  });

  test('the key can sign in afterwards', async () => {
    await submitOtp(browser, 'hello');
    expect((await submitOtp(browser, await touch(app))).headers.location).toBe('/account');
  });
});

describe('a verifier that fails', () => {
  const errorLog = vi.spyOn(console, 'error').mockImplementation(() => {});
  afterEach(() => errorLog.mockClear());

  test('gets status 503 and a page, and is logged without the OTP', async () => {
    const broken = await openApp({}, { change: { verifier: brokenVerifier } });
    const otp = await touch(broken);
    const response = await submitOtp(await openBrowserWithPassword(broken), otp);
    expectFormAgain(response, 503, 'Your key could not be checked right now.');
    expect(response.text).not.toContain('UNREACHABLE');

    const logged = errorLog.mock.calls.flat().map(String).join('\n');
    expect(logged).toContain('No server answered');
    expect(logged).not.toContain(otp);
    await broken.close();
  });

  test('gets a page for any other error, too', async () => {
    const verify = () => Promise.reject(new Error('secret detail'));
    const broken = await openApp({}, { change: { verifier: { verify } } });
    const response = await submitOtp(await openBrowserWithPassword(broken), await touch(broken));
    expectFormAgain(response, 503, 'Your key could not be checked right now.');
    expect(response.text).not.toContain('secret detail');
    await broken.close();
  });
});
