import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pressUnknownKey, Recipe, readCookies } from '../support/recipes/recipe.js';

describe('the recipe for passwordless sign-in', () => {
  const recipe = new Recipe('passwordless');
  const { alice, stray, fault } = recipe.keys;
  beforeAll(() => recipe.start());
  afterAll(() => recipe.stop());

  const touch = (browser: ReturnType<Recipe['browser']>, otp: string) =>
    browser.post('/login').type('form').send({ otp });

  it('shows the form to visitors who are not signed in', async () => {
    const browser = recipe.browser();
    await browser.get('/').expect(302).expect('Location', '/login');
    await browser.get('/login').expect(200, /name="otp"/);
  });

  it('signs in the owner of the key, until they sign out', async () => {
    const browser = recipe.browser();
    await touch(browser, alice.press()).expect(302).expect('Location', '/');
    await browser.get('/').expect(200, 'Signed in as alice');
    const signedIn = readCookies(browser);
    await recipe.withCookies(signedIn).get('/').expect(200);
    await browser.post('/logout').expect(302);
    await browser.get('/').expect(302);
    await recipe.withCookies(signedIn).get('/').expect(302);
  });

  it('gives the session a new ID at each sign-in', async () => {
    const browser = recipe.browser();
    await touch(browser, alice.press()).expect(302);
    const before = readCookies(browser);
    await touch(browser, alice.press()).expect(302);
    expect(readCookies(browser)).not.toBe(before);
    await recipe.withCookies(before).get('/').expect(302).expect('Location', '/login');
  });

  it('refuses an OTP that was used before', async () => {
    const otp = alice.press();
    await touch(recipe.browser(), otp).expect(302);
    const thief = recipe.browser();
    await touch(thief, otp).expect(401);
    await thief.get('/').expect(302);
  });

  it.each([
    ['a key that the verifier does not know', pressUnknownKey(), 401],
    ['a key that no user has', stray.press(), 401],
    ['text that is not an OTP', 'hello', 400],
    ['an empty OTP', '', 400],
  ])('refuses %s', async (_what, otp, status) => {
    const browser = recipe.browser();
    await touch(browser, otp).expect(status);
    await browser.get('/').expect(302);
  });

  it('answers 503 when the verifier fails', async () => {
    const browser = recipe.browser();
    await touch(browser, fault.press()).expect(503);
    await browser.get('/').expect(302);
  });

  it('prints no OTP', async () => {
    const otp = fault.press();
    await touch(recipe.browser(), otp).expect(503);
    expect(recipe.output).toContain('The verifier failed');
    expect(recipe.output).not.toContain(otp.slice(-32));
  });
});
