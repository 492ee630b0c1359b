import { copyFileSync, existsSync, symlinkSync } from 'node:fs';
import { relative } from 'node:path';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, test } from 'vitest';
import { ConfigError, DEMO_DATABASE_FILE } from '../src/config.js';
import { newDatabaseFile, openApp, requireDemo, submit } from './support/application.js';

const CLOUD = { YUBICO_CLIENT_ID: '1', YUBICO_API_KEY: 'AAAA' };
const PRODUCTION = { ...CLOUD, NODE_ENV: 'production', SESSION_SECRET: 'x'.repeat(32) };
const WHAT_TO_DO = 'Set DATABASE_FILE or DATABASE_URL to one that no demo has used';

type App = Awaited<ReturnType<typeof openApp>>;

/** The database file that an app leaves behind. */
async function leaveDatabase(environment: NodeJS.ProcessEnv, use: (app: App) => unknown = () => undefined) {
  const DATABASE_FILE = newDatabaseFile();
  const app = await openApp({ ...environment, DATABASE_FILE });
  await use(app);
  await app.close();
  return DATABASE_FILE;
}

async function expectRefusal(environment: NodeJS.ProcessEnv): Promise<string> {
  const refusal = await openApp(environment).catch((error) => error);
  expect(refusal).toBeInstanceOf(ConfigError);
  return refusal.message;
}

/** Expects the app to open without a refusal. */
async function expectOpens(environment: NodeJS.ProcessEnv): Promise<void> {
  await (await openApp(environment)).close();
}

describe.each([
  ['in production', PRODUCTION],
  ['with validation servers, wherever it runs', CLOUD],
])('an app %s', (_where, environment) => {
  test('does not start with the data of a demo', async () => {
    const message = await expectRefusal({ ...environment, DATABASE_FILE: await leaveDatabase({}) });
    expect(message).toContain("the demo's user alice, whose password everybody knows");
    expect(message).toContain('keys whose OTPs anybody can get from the demo');
    expect(message).toContain("AES keys of the demo's virtual YubiKeys");
    expect(message).toContain(WHAT_TO_DO);
    expect(message).not.toContain('wonderland');
  });

  test('does not start with a copy of it, or under another name', async () => {
    const demo = await leaveDatabase({});
    const [copy, link] = [newDatabaseFile(), newDatabaseFile()].map((file) => `${file}.copy`) as [
      string,
      string,
    ];
    // The -wal file holds what SQLite has not yet moved into the database.
    for (const end of ['', '-wal']) copyFileSync(demo + end, copy + end);
    symlinkSync(demo, link);
    for (const DATABASE_FILE of [copy, link]) {
      expect(await expectRefusal({ ...environment, DATABASE_FILE })).toContain(WHAT_TO_DO);
    }
  });

  test("does not start with the demo's own file, even if it is missing", async () => {
    const wasThere = existsSync(DEMO_DATABASE_FILE);
    for (const DATABASE_FILE of ['', DEMO_DATABASE_FILE, relative(process.cwd(), DEMO_DATABASE_FILE)]) {
      expect(await expectRefusal({ ...environment, DATABASE_FILE })).toContain(
        "is the demo's database: set DATABASE_FILE to another one, such as app.db",
      );
    }
    expect(existsSync(DEMO_DATABASE_FILE)).toBe(wasThere);
  });

  test.each<[string, string, (app: App) => Promise<unknown>]>([
    ["the demo's user alone", 'user alice', ({ accounts }) => accounts.add('Alice', 'wonderland')],
    [
      "an account's key that is the demo's",
      'keys whose OTPs',
      async ({ accounts, accountKeys }) => {
        const publicId = await demoPublicId();
        const bob = await accounts.add('bob', 'correct horse battery');
        if (bob) await accountKeys.add(bob, publicId, 'A key');
      },
    ],
    [
      "an AES key that is the demo's",
      'AES keys',
      async ({ keys }) => keys.add(new SoftYubikey({ publicId: await demoPublicId() })),
    ],
  ])('does not start with %s', async (_what, words, leave) => {
    const message = await expectRefusal({ ...environment, DATABASE_FILE: await leaveDatabase(CLOUD, leave) });
    expect(message).toContain(words);
    expect(message).not.toContain(';');
  });

  test('starts with its own accounts and keys, even if one is called alice', async () => {
    const DATABASE_FILE = await leaveDatabase(CLOUD, async ({ accounts, accountKeys, keys }) => {
      const key = new SoftYubikey();
      const alice = await accounts.add('alice', 'another password');
      if (alice) await accountKeys.add(alice, key.publicId, 'A key');
      await keys.add(key);
      await keys.add(new SoftYubikey({ publicId: 'fictitcccccc' }));
    });
    await expectOpens({ ...environment, DATABASE_FILE });
  });
});

/** The public ID of a virtual key that a demo has created. */
async function demoPublicId(): Promise<string> {
  const demo = await openApp();
  const publicId = await requireDemo(demo).yubikeys.make();
  await demo.close();
  return publicId;
}

test('nobody can sign up with a password that would keep the app from starting again', async () => {
  const app = await openApp(CLOUD);
  for (const password of ['wonderland', 'ｗｏｎｄｅｒｌａｎｄ']) {
    const refused = await submit(app.openBrowser(), '/sign-up', { username: 'alice', password });
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('Choose another one.')]);
  }
  expect(await app.accounts.findByName('alice')).toBeUndefined();
  await app.close();
});

test('a demo does not start with the accounts of another app, and does not change them', async () => {
  const DATABASE_FILE = await leaveDatabase(CLOUD, ({ accounts }) =>
    accounts.add('carol', 'correct horse battery'),
  );
  expect(await expectRefusal({ DATABASE_FILE })).toContain("accounts that are not the demo's");
  await expectOpens({ ...PRODUCTION, DATABASE_FILE });
});

test('a demo starts again with its own data, and with an empty database', async () => {
  await expectOpens({
    DATABASE_FILE: await leaveDatabase({}, ({ accounts }) => accounts.add('carol', 'correct horse')),
  });
  await expectOpens({ DATABASE_FILE: await leaveDatabase(CLOUD) });
});
