import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Browser, pressUnknownKey, Recipe, readCookies } from './recipe.js';

const logIn = (browser: Browser, username: string, password = `${username}'s password`) =>
  browser.post('/login').send({ username, password });

export const touch = (browser: Browser, otp: string) => browser.post('/login/yubikey').send({ otp });

/**
 * The tests of a recipe that signs users in with a password, asks for the YubiKey, and guards a route with it. Call this
 * in a `describe`.
 */
export function secondFactorContract(
  page: string,
  guarded: (browser: Browser) => ReturnType<Browser['get']>,
) {
  const recipe = new Recipe(page);
  const { alice, bob, stray, fault, slow } = recipe.keys;
  beforeAll(() => recipe.start());
  afterAll(() => recipe.stop());

  const signedIn = async (username: string) => {
    const browser = recipe.browser();
    await logIn(browser, username).expect(200, { user: username });
    return browser;
  };

  it('opens the guarded route to a password and a touch', async () => {
    const browser = await signedIn('alice');
    await guarded(browser).expect(403);
    await touch(browser, alice.press()).expect(200, { user: 'alice' });
    await guarded(browser).expect(200);
    await guarded(browser).expect(200);
  });

  it('refuses a wrong password', async () => {
    const browser = recipe.browser();
    await logIn(browser, 'alice', "bob's password").expect(401);
    await guarded(browser).expect(401);
  });

  it('refuses a touch before the password, without using up the OTP', async () => {
    const browser = recipe.browser();
    const otp = alice.press();
    await touch(browser, otp).expect(401);
    await guarded(browser).expect(401);
    await touch(await signedIn('alice'), otp).expect(200);
  });

  it('refuses an OTP that was used before', async () => {
    const otp = alice.press();
    await touch(await signedIn('alice'), otp).expect(200);
    const thief = await signedIn('alice');
    await touch(thief, otp).expect(401);
    await guarded(thief).expect(403);
  });

  it.each([
    ["another user's key", () => bob.press(), 401],
    ['a key that the verifier does not know', pressUnknownKey, 401],
    ['a key that no user has', () => stray.press(), 401],
    ['text that is not an OTP', () => 'hello', 400],
    ['an empty OTP', () => '', 400],
  ])('refuses %s', async (_what, otp, status) => {
    const browser = await signedIn('alice');
    await touch(browser, otp()).expect(status);
    await guarded(browser).expect(403);
    await touch(browser, alice.press()).expect(200);
  });

  it('answers 503 when the verifier fails', async () => {
    const browser = await signedIn('alice');
    await touch(browser, fault.press()).expect(503);
    await guarded(browser).expect(403);
  });

  it('gives the session a new ID after the password and after the touch, and refuses the old IDs', async () => {
    const browser = await signedIn('alice');
    const password = readCookies(browser);
    await touch(browser, alice.press()).expect(200);
    const touched = readCookies(browser);
    await guarded(recipe.withCookies(touched)).expect(200);
    await logIn(browser, 'alice').expect(200);
    expect(new Set([password, touched, readCookies(browser)]).size).toBe(3);
    await guarded(recipe.withCookies(password)).expect(401);
    await guarded(recipe.withCookies(touched)).expect(401);
  });

  it('asks for a touch again after a new sign-in, the same user or another', async () => {
    const browser = await signedIn('alice');
    await touch(browser, alice.press()).expect(200);
    await logIn(browser, 'alice').expect(200);
    await guarded(browser).expect(403);
    await touch(browser, alice.press()).expect(200);
    await logIn(browser, 'bob').expect(200);
    await guarded(browser).expect(403);
  });

  it('ends with signing out, in every copy of the session', async () => {
    const browser = await signedIn('alice');
    await touch(browser, alice.press()).expect(200);
    const copy = readCookies(browser);
    await guarded(recipe.withCookies(copy)).expect(200);
    await browser.post('/logout').expect(204);
    await guarded(browser).expect(401);
    await guarded(recipe.withCookies(copy)).expect(401);
    await logIn(browser, 'alice').expect(200);
    await guarded(browser).expect(403);
  });

  it('stays signed out when another request of that session ends later', async () => {
    const browser = await signedIn('alice');
    await touch(browser, alice.press()).expect(200);
    const copy = readCookies(browser);
    const underWay = touch(recipe.withCookies(copy), slow.press()).then(({ status }) => status);
    await sleep(150);
    await browser.post('/logout').expect(204);
    expect(await underWay).toBe(401);
    await guarded(recipe.withCookies(copy)).expect(401);
  });

  it('prints no OTP', async () => {
    const otps = [alice.press(), fault.press()];
    const browser = await signedIn('alice');
    for (const otp of otps) await touch(browser, otp);
    for (const otp of otps) expect(recipe.output).not.toContain(otp.slice(-32));
  });

  return { recipe, signedIn };
}
