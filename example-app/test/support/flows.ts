import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { submit, submitPassword, type World } from './application.js';
import { Person } from './person.js';

/** What users do with their keys, and what is refused: the same for every database and number of instances. */
export function testFlows(open: () => Promise<World & { close(): Promise<void> }>): void {
  let world: World & { close(): Promise<void> };

  beforeAll(async () => {
    world = await open();
  });
  afterAll(() => world?.close());

  describe('the life of a key', () => {
    test('sign up, add a key and a spare, sign in with each, remove the first', async () => {
      const person = await Person.signUp(world);
      expect(await person.text('/account')).toContain('protected by its password alone');
      const [key, spare] = [await world.newKey(), await world.newKey()];

      expect((await person.addKey(key, 'Blue one')).headers.location).toBe('/account/recovery-codes');
      expect(await person.text('/account')).toContain('Signed in with both steps');
      expect((await person.addKey(spare, 'In the safe')).status).toBe(302);
      const keys = await person.text('/account/keys');
      for (const words of ['Blue one', key.publicId, 'In the safe', spare.publicId])
        expect(keys).toContain(words);

      await person.signInElsewhere(key);
      const withSpare = await person.signInElsewhere(spare);
      expect((await withSpare.removeKey(key)).headers.location).toBe('/account/keys');
      expect(await withSpare.text('/account/keys')).not.toContain(key.publicId);

      const again = await person.elsewhere();
      expect((await again.touch(key)).status).toBe(401);
      expect((await again.touch(spare)).headers.location).toBe('/account');
    });

    test('once there is a key, the password alone leads only to the second step', async () => {
      const { person } = await Person.signUpWithKey(world);
      const halfway = await person.elsewhere();
      for (const page of ['/account', '/account/keys', '/account/activity', '/account/recovery-codes']) {
        expect(await halfway.redirectFrom(page)).toBe('/login/yubikey');
      }
      expect(await halfway.redirectFrom('/account/keys/add')).toMatch(/^\/login\/yubikey/);
      expect(await halfway.redirectFrom('/account/keys/remove')).toMatch(/^\/login\/yubikey/);
    });

    test('adding a key and removing one each end the other sessions at once', async () => {
      const { person, key } = await Person.signUpWithKey(world);
      const other = await person.signInElsewhere(key);
      expect(await other.redirectFrom('/account')).toBeUndefined();
      const spare = await world.newKey();
      await person.addKey(spare);
      expect(await other.redirectFrom('/account')).toBe('/login');
      expect(await person.redirectFrom('/account')).toBeUndefined();

      const another = await person.signInElsewhere(spare);
      await person.removeKey(spare);
      expect(await another.redirectFrom('/account')).toBe('/login');
      expect(await another.redirectFrom('/account/keys')).toBe('/login');
    });

    test('an old session ID is no longer valid after the second step', async () => {
      const { person, key } = await Person.signUpWithKey(world);
      const browser = world.openBrowser();
      const afterPassword = await submitPassword(browser, person.name, person.password);
      const kept = String(afterPassword.headers['set-cookie']?.[0]).split(';')[0] as string;
      const touched = await submit(browser, '/login/yubikey', { otp: key.press() });
      expect(touched.headers.location).toBe('/account');
      for (const page of ['/account', '/login/yubikey']) {
        const response = await world.openBrowser().get(page).set('Cookie', kept);
        expect([response.status, response.headers.location]).toEqual([302, '/login']);
      }
    });

    test('the first key and a recovery code each give the session a new ID', async () => {
      const person = await Person.signUp(world);
      const ids = [person.sessionCookie()];
      await person.addKey(await world.newKey());
      ids.push(person.sessionCookie());
      const [code] = (await person.newCodes()) as [string];
      const recovering = await person.elsewhere();
      ids.push(recovering.sessionCookie());
      await recovering.giveCode(code);
      ids.push(recovering.sessionCookie());
      expect(new Set(ids).size).toBe(4);
      for (const old of [ids[0], ids[2]]) {
        const page = await world.openBrowser().get('/account/keys').set('Cookie', `session=${old}`);
        expect(page.headers.location).toBe('/login');
      }
    });

    test('removing the last key ends its recovery codes and signing in with a key alone', async () => {
      const { person, key } = await Person.signUpWithKey(world);
      const [code] = await person.newCodes();
      await submit(person.browser, '/account/keys', { allowed: '1' }, '/account/key-alone');
      expect(await person.text(`/account/keys/remove?key=${key.publicId}`)).toContain(
        'by its password alone',
      );
      await person.removeKey(key);
      expect(await person.text('/account')).toContain('protected by its password alone');

      const stranger = world.openBrowser();
      const alone = await submit(stranger, '/login', { otp: key.press() }, '/login/key');
      expect(alone.status).toBe(401);
      await person.addKey(key);
      const later = await person.elsewhere();
      expect((await later.giveCode(code as string)).status).toBe(401);
    });
  });

  describe('a key that is refused', () => {
    test("when adding: another account's key, without revealing its owner, and the same key twice", async () => {
      const { person: owner, key } = await Person.signUpWithKey(world);
      const other = await Person.signUp(world);
      const taken = await other.addKey(key);
      const unknown = await submit(other.browser, '/account/keys/add', {
        name: 'A key',
        otp: 'c'.repeat(44),
      });
      expect([taken.status, unknown.status]).toEqual([401, 401]);
      expect(taken.text).not.toContain(owner.name);
      const withoutTokens = ({ text }: { text: string }) => text.replaceAll(/value="\w{100,}"/g, '');
      expect(withoutTokens(taken)).toBe(withoutTokens(unknown));
      expect((await owner.addKey(key)).status).toBe(401);
    });

    test('when two accounts add it at once: one of them gets it', async () => {
      const key = await world.newKey();
      const people = [await Person.signUp(world), await Person.signUp(world)];
      const answers = await Promise.all(people.map((person) => person.addKey(key)));
      expect(answers.map(({ status }) => status).sort()).toEqual([302, 401]);
    });

    test("as the second step: another account's key, and a replay in a second window", async () => {
      const { person, key } = await Person.signUpWithKey(world);
      const { key: othersKey } = await Person.signUpWithKey(world);
      const first = await person.elsewhere();
      expect((await first.touch(othersKey)).status).toBe(401);
      const second = await person.elsewhere();
      const [older, otp] = [key.press(), key.press()];
      expect((await submit(first.browser, '/login/yubikey', { otp })).headers.location).toBe('/account');
      for (const refused of [otp, older]) {
        expect((await submit(second.browser, '/login/yubikey', { otp: refused })).status).toBe(401);
      }
      expect(await second.redirectFrom('/account')).toBe('/login/yubikey');
    });
  });

  describe('a lost key', () => {
    test('a recovery code opens the pages about keys, and no others, until a new key is added', async () => {
      const { person, key: lost } = await Person.signUpWithKey(world);
      const codes = await person.newCodes();
      expect(new Set(codes).size).toBe(10);

      const recovering = await person.elsewhere();
      const sent = await recovering.giveCode(codes[3] as string);
      expect(sent.headers.location).toBe('/account/keys');
      for (const page of ['/account', '/account/activity']) {
        expect(await recovering.redirectFrom(page)).toBe('/account/keys');
      }
      expect(await recovering.text('/account/recovery-codes')).toContain('9 codes are left');
      const keyAlone = await submit(
        recovering.browser,
        '/account/keys',
        { allowed: '1' },
        '/account/key-alone',
      );
      expect(keyAlone.headers.location).toMatch(/^\/login\/yubikey/);

      expect((await recovering.removeKey(lost)).status).toBe(302);
      expect((await recovering.addKey(await world.newKey())).status).toBe(302);
      expect(await recovering.text('/account')).toContain('Signed in with both steps');
      expect(await person.redirectFrom('/account')).toBe('/login');
    });

    test('a recovery code works once, even if used twice at the same time', async () => {
      const { person } = await Person.signUpWithKey(world);
      const [first, second] = (await person.newCodes()) as [string, string];
      const tries = [await person.elsewhere(), await person.elsewhere()];
      const answers = await Promise.all(tries.map((attempt) => attempt.giveCode(first)));
      expect(answers.map(({ status }) => status).sort()).toEqual([302, 401]);

      const again = await person.elsewhere();
      expect((await again.giveCode(first)).status).toBe(401);
      expect(await again.redirectFrom('/account/keys')).toBe('/login/yubikey');
      expect((await again.giveCode(` ${second.toUpperCase().replaceAll('-', ' ')} `)).status).toBe(302);
    });

    test('new codes replace the old ones', async () => {
      const { person } = await Person.signUpWithKey(world);
      const [old] = (await person.newCodes()) as [string];
      const [fresh] = (await person.newCodes()) as [string];
      const recovering = await person.elsewhere();
      expect((await recovering.giveCode(old)).status).toBe(401);
      expect((await recovering.giveCode(fresh)).status).toBe(302);
    });
  });

  describe('a key alone', () => {
    test('signs in if the account allows it; otherwise it is refused like an unknown key', async () => {
      const { person, key } = await Person.signUpWithKey(world);
      const tryAlone = () => submit(world.openBrowser(), '/login', { otp: key.press() }, '/login/key');
      const refused = await tryAlone();
      expect(refused.status).toBe(401);
      const unknown = await world.newKey();
      const stranger = await submit(world.openBrowser(), '/login', { otp: unknown.press() }, '/login/key');
      const withoutTokens = ({ text }: { text: string }) => text.replaceAll(/value="\w{100,}"/g, '');
      expect(withoutTokens(refused)).toBe(withoutTokens(stranger));

      await submit(person.browser, '/account/keys', { allowed: '1' }, '/account/key-alone');
      expect((await tryAlone()).headers.location).toBe('/account');
      await submit(person.browser, '/account/keys', { allowed: '0' }, '/account/key-alone');
      expect((await tryAlone()).status).toBe(401);
    });

    test('cannot change keys without the password', async () => {
      const { person, key } = await Person.signUpWithKey(world);
      await submit(person.browser, '/account/keys', { allowed: '1' }, '/account/key-alone');
      const browser = world.openBrowser();
      await submit(browser, '/login', { otp: key.press() }, '/login/key');
      await browser.get('/account').expect(200);
      const toAdd = await browser.get('/account/keys/add').expect(302);
      const step = await browser.get(toAdd.headers.location as string).expect(302);
      expect(step.headers.location).toBe('/login?again=1&next=%2Faccount%2Fkeys%2Fadd');
      const password = await submit(
        browser,
        step.headers.location as string,
        { username: person.name, password: person.password, next: '/account/keys/add' },
        '/login',
      );
      expect(password.headers.location).toBe('/login/yubikey?next=%2Faccount%2Fkeys%2Fadd');
    });
  });

  test('the activity page shows what happened, with which key, and from which address', async () => {
    const { person, key } = await Person.signUpWithKey(world);
    const text = await person.text('/account/activity');
    for (const words of ['Signed up', 'Added a key', 'A key', key.publicId, '127.0.0.1']) {
      expect(text).toContain(words);
    }
  });
}
