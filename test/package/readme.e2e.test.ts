import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SoftYubikey } from '../../src/testing/index.js';
import {
  type Browser,
  type Printed,
  printedFiles,
  Reader,
  type Started,
  submit,
} from '../support/package/readme/reader.js';
import { Yubicloud } from '../support/package/readme/yubicloud.js';

const TSC = fileURLToPath(new URL('../../node_modules/typescript/bin/tsc', import.meta.url));

const PRINTED = printedFiles();
const [CLOUD, SECOND_FACTOR, OWN_KEYS, VERIFY] = PRINTED as [Printed, Printed, Printed, Printed];

const REFUSED = 'That did not work: the password or the key is wrong, or the OTP was used before.';
const FAULT = 'Something went wrong on our side.';

let reader: Reader;
let cloud: Yubicloud;

beforeAll(async () => {
  reader = new Reader();
  cloud = await Yubicloud.start();
});
afterAll(() => {
  reader?.leave();
  cloud?.stop();
});

const withCloud = () => ({ ...cloud.credentials, ...cloud.network });
const touch = (browser: Browser, action: string, key: SoftYubikey) =>
  submit(browser, action, { otp: key.press() });

it('contains four complete files, each named in its first line', () => {
  expect(PRINTED.map(({ heading, name }) => [heading, name])).toEqual([
    ["1. With Yubico's cloud", 'app.mjs'],
    ['2. As a second factor', 'app.mjs'],
    ['3. With your own keys, and no other server', 'app.mjs'],
    ['Without Passport', 'verify.mjs'],
  ]);
});

it('has files that compile against the package', () => {
  for (const name of ['@types', 'undici-types']) reader.link(name);
  const folder = reader.save('app.d.ts', 'declare namespace Express { interface User { id: string } }');
  PRINTED.forEach(({ code }, at) => {
    writeFileSync(join(folder, `printed-${at}.mjs`), code);
  });
  const options =
    '--checkJs --allowJs --noEmit --strict --noImplicitAny false --module nodenext --target es2023 --skipLibCheck --types node';
  const files = readdirSync(folder).map((name) => join(folder, name));
  const { stdout } = spawnSync(process.execPath, [TSC, '--ignoreConfig', ...options.split(' '), ...files], {
    encoding: 'utf8',
    cwd: folder,
  });
  expect(stdout).toBe('');
});

it('verifies an OTP in three lines', async () => {
  expect(VERIFY.code.trim().split('\n').slice(1)).toHaveLength(3);
  const folder = reader.save(VERIFY.name, VERIFY.code);
  const verify = (otp: string) => reader.run(folder, [VERIFY.name, otp], withCloud());
  const { stray } = cloud.keys;
  const otp = stray.press();
  expect(await verify(otp)).toBe(`{ ok: true, identity: { publicId: '${stray.publicId}' } }\n`);
  expect(await verify(otp)).toBe("{ ok: false, reason: 'REPLAYED_OTP' }\n");
  expect(await verify('hello')).toContain("code: 'OTP_MALFORMED'");
});

describe("the first set-up, with Yubico's cloud", () => {
  let app: Started;
  beforeAll(async () => {
    app = await reader.start(reader.save(CLOUD.name, CLOUD.code), withCloud());
  });
  afterAll(() => app?.stop());

  const enrol = (browser: Browser, key: SoftYubikey) => touch(browser, '/yubikey', key);
  const signIn = (browser: Browser, key: SoftYubikey) => touch(browser, '/login/yubikey', key);

  it('signs users in by password, or by touch once they have enrolled a key, and signs them out', async () => {
    const { alice } = cloud.keys;
    const stranger = await signIn(app.browser(), alice);
    expect([stranger.status, stranger.text]).toEqual([401, expect.stringContaining(REFUSED)]);

    const browser = await app.signIn('alice');
    await browser.get('/').expect(200, /Signed in as alice, with no YubiKey enrolled/);
    await enrol(browser, alice).then(({ headers }) => expect(headers.location).toBe('/'));
    await browser.get('/').expect(200, /Signed in as alice, with a YubiKey enrolled/);
    await submit(browser, '/logout', {});
    await browser.get('/').expect(200, /No YubiKey\?/);

    const again = app.browser();
    await signIn(again, alice).then(({ headers }) => expect(headers.location).toBe('/'));
    await again.get('/').expect(200, /Signed in as alice/);
  });

  it('allows each key for one user only', async () => {
    const [alice, bob] = [await app.signIn('alice'), await app.signIn('bob')];
    await enrol(alice, cloud.keys.alice).then(({ status }) => expect(status).toBe(302));
    const refused = await enrol(bob, cloud.keys.alice);
    expect([refused.status, refused.text]).toEqual([401, expect.stringContaining(REFUSED)]);
    await bob.get('/').expect(200, /Signed in as bob, with no YubiKey enrolled/);
    const browser = app.browser();
    await signIn(browser, cloud.keys.alice);
    await browser.get('/').expect(200, /Signed in as alice/);
  });

  it('enrols no key for a visitor who is not signed in', async () => {
    const browser = app.browser();
    await browser.post('/yubikey').type('form').send({ otp: cloud.keys.stray.press() }).expect(401);
    await browser.get('/').expect(200, /No YubiKey\?/);
  });

  it('shows a refusal for a used OTP, a wrong password and an empty field', async () => {
    const browser = await app.signIn('bob');
    const otp = cloud.keys.bob.press();
    await submit(browser, '/yubikey', { otp }).then(({ status }) => expect(status).toBe(302));
    const thief = app.browser();
    const refusals = [
      [await submit(thief, '/login/yubikey', { otp }), 401],
      [await submit(thief, '/login/yubikey', { otp: '' }), 400],
      [await submit(thief, '/login/yubikey', { otp: 'hello' }), 400],
      [await submit(thief, '/login', { username: 'bob', password: 'guess' }), 401],
      [await submit(thief, '/login', { username: 'nobody', password: app.findPassword('bob') }), 401],
    ] as const;
    for (const [{ status, text }, expected] of refusals) {
      expect([status, text]).toEqual([expected, expect.stringContaining(REFUSED)]);
      expect(text).toContain('name="otp"');
    }
    await thief.get('/').expect(200, /No YubiKey\?/);
  });

  it('shows and logs a fault when a key could not be checked', async () => {
    const browser = app.browser();
    const otp = cloud.keys.fault.press();
    const { status, text } = await submit(browser, '/login/yubikey', { otp });
    expect([status, text]).toEqual([503, expect.stringContaining(FAULT)]);
    expect(text).not.toContain(REFUSED);
    expect(app.output).toContain('BACKEND_ERROR');
    expect(app.output).not.toContain(otp.slice(-32));
    await browser.get('/').expect(200, /No YubiKey\?/);
  });
});

interface SecondFactorSetUp {
  app: Started;
  keys: Record<'alice' | 'bob' | 'stray', SoftYubikey>;
}

/** Tests that the second and the third set-up share. */
function asksForBothFactors(setUp: () => SecondFactorSetUp) {
  const secondFactor = (browser: Browser, key: SoftYubikey) => touch(browser, '/login/yubikey', key);

  it('signs users without a key in by password, but keeps the account closed until they enrol one', async () => {
    const { app, keys } = setUp();
    const stranger = app.browser();
    await stranger.get('/account').expect(302).expect('Location', '/');
    await stranger.get('/').expect(200, /name="password"/);

    const browser = await app.signIn('alice');
    await browser.get('/account').expect(302).expect('Location', '/');
    await browser.get('/').expect(200, /Signed in as alice.*You have no YubiKey yet/s);
    await secondFactor(browser, keys.alice).then(({ headers }) => expect(headers.location).toBe('/account'));
    await browser.get('/account').expect(200, 'The account of alice');

    await submit(browser, '/logout', {});
    await browser.get('/account').expect(302).expect('Location', '/');
  });

  it('then asks for the key at each sign-in, and accepts no other', async () => {
    const { app, keys } = setUp();
    const browser = await app.signIn('alice');
    await browser.get('/').expect(200, /Touch your YubiKey/);
    await browser.get('/account').expect(302);
    const refused = await secondFactor(browser, keys.stray);
    expect([refused.status, refused.text]).toEqual([401, expect.stringContaining(REFUSED)]);
    await browser.get('/account').expect(302);
    await secondFactor(browser, keys.alice).then(({ headers }) => expect(headers.location).toBe('/account'));
    await browser.get('/account').expect(200, 'The account of alice');
  });

  it('allows each key for one user only', async () => {
    const { app, keys } = setUp();
    const browser = await app.signIn('bob');
    const refused = await secondFactor(browser, keys.alice);
    expect([refused.status, refused.text]).toEqual([401, expect.stringContaining(REFUSED)]);
    await browser.get('/').expect(200, /You have no YubiKey yet/);
    await secondFactor(browser, keys.bob).then(({ status }) => expect(status).toBe(302));
    await browser.get('/account').expect(200, 'The account of bob');
  });

  it('shows a refusal for a used OTP, an empty field and a wrong password', async () => {
    const { app, keys } = setUp();
    const otp = keys.bob.press();
    const browser = await app.signIn('bob');
    await submit(browser, '/login/yubikey', { otp }).then(({ status }) => expect(status).toBe(302));
    const thief = await app.signIn('bob');
    const refusals = [
      [await submit(thief, '/login/yubikey', { otp }), 401],
      [await submit(thief, '/login/yubikey', { otp: '' }), 400],
      [await submit(app.browser(), '/login', { username: 'bob', password: 'guess' }), 401],
    ] as const;
    for (const [{ status, text }, expected] of refusals) {
      expect([status, text]).toEqual([expected, expect.stringContaining(REFUSED)]);
    }
    await thief.get('/account').expect(302);
  });
}

describe('the second set-up, with a second factor', () => {
  let app: Started;
  beforeAll(async () => {
    app = await reader.start(reader.save(SECOND_FACTOR.name, SECOND_FACTOR.code), withCloud());
  });
  afterAll(() => app?.stop());

  asksForBothFactors(() => ({ app, keys: cloud.keys }));

  it('shows a fault when a key could not be checked', async () => {
    const browser = await app.signIn('alice');
    const { status, text } = await touch(browser, '/login/yubikey', cloud.keys.fault);
    expect([status, text]).toEqual([503, expect.stringContaining(FAULT)]);
    await browser.get('/account').expect(302);
  });
});

describe('the third set-up, with its own keys', () => {
  const keys = { alice: new SoftYubikey(), bob: new SoftYubikey(), stray: new SoftYubikey() };
  const environment = { YUBIKEY_MASTER_KEY: `2026:${randomBytes(32).toString('base64')}` };
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  let folder: string;
  let app: Started;

  beforeAll(async () => {
    folder = reader.save(OWN_KEYS.name, OWN_KEYS.code);
    // As ykman writes them; the serial number may be unknown.
    const lines = Object.values(keys).map(
      ({ publicId, privateId, aesKey }, at) =>
        `${at === 0 ? 7654321 : 'None'},${publicId},${hex(privateId)},${hex(aesKey)},,2026-02-24T17:41:57,\n`,
    );
    writeFileSync(join(folder, 'keys.csv'), lines.join(''));
    app = await reader.start(folder, environment);
  });
  afterAll(() => app?.stop());

  asksForBothFactors(() => ({ app, keys }));

  it('refuses a key that is not in keys.csv', async () => {
    const { status } = await touch(await app.signIn('bob'), '/login/yubikey', new SoftYubikey());
    expect(status).toBe(401);
  });

  it('remembers the keys and their used OTPs after a restart without keys.csv', async () => {
    const otp = keys.bob.press();
    const browser = await app.signIn('bob');
    await submit(browser, '/login/yubikey', { otp }).then(({ status }) => expect(status).toBe(302));
    await app.stop();
    rmSync(join(folder, 'keys.csv'));
    app = await reader.start(folder, environment);
    const again = await app.signIn('bob');
    await submit(again, '/login/yubikey', { otp }).then(({ status }) => expect(status).toBe(401));
    await touch(again, '/login/yubikey', keys.bob).then(({ status }) => expect(status).toBe(302));
  });

  it('stores the keys sealed, and does not start without the master key', async () => {
    await app.stop();
    const files = readdirSync(folder).filter((name) => name.startsWith('yubikeys.db'));
    const bytes = Buffer.concat(files.map((name) => readFileSync(join(folder, name))));
    expect(bytes.includes(keys.alice.publicId)).toBe(true);
    for (const { aesKey } of Object.values(keys)) expect(bytes.includes(Buffer.from(aesKey))).toBe(false);
    expect(await reader.run(folder, ['app.mjs'], {})).toContain('There is no master key');
    const [{ publicId, privateId, aesKey }] = Object.values(keys) as [SoftYubikey];
    const line = `None,${publicId},${hex(privateId)},${hex(aesKey)},,2026-02-24T17:41:57,\n`;
    writeFileSync(join(folder, 'keys.csv'), line);
    const another = { YUBIKEY_MASTER_KEY: `2026:${randomBytes(32).toString('base64')}` };
    const said = await reader.run(folder, ['app.mjs'], another);
    expect(said).toContain('SEAL_BROKEN');
    expect(said).not.toContain('delete keys.csv');
    rmSync(join(folder, 'keys.csv'));
    app = await reader.start(folder, environment);
  });
});
