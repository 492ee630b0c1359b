import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { describeWith } from '../../test/support/programs.js';
import { missingPostgres, PostgresServer } from '../../test/support/servers/postgres.js';
import { newDatabaseFile } from './support/application.js';

const FOLDER = fileURLToPath(new URL('..', import.meta.url));
let started: ChildProcess | undefined;

/** Starts its own process group, so that npm ends together with its child processes. */
function npmStart(environment: NodeJS.ProcessEnv) {
  const { PATH, HOME } = process.env;
  started = spawn('npm', ['start'], {
    cwd: FOLDER,
    env: { PATH, HOME, DATABASE_FILE: newDatabaseFile(), PORT: '0', ...environment },
    detached: true,
  });
  let output = '';
  started.stdout?.on('data', (text) => {
    output += text;
  });
  started.stderr?.on('data', (text) => {
    output += text;
  });
  return { child: started, output: () => output };
}

afterEach(() => {
  if (started?.pid && started.exitCode === null) process.kill(-started.pid, 'SIGTERM');
});

test('npm start prints its address and how to sign in, and serves', async () => {
  const { output } = npmStart({});
  await expect.poll(output, { timeout: 15_000 }).toContain('alice with the password wonderland');
  const address = /^Example app: (http:\/\/localhost:\d+)$/m.exec(output())?.[1];
  const response = await fetch(`${address}/`);
  expect(response.status).toBe(200);
  expect(response.url).toBe(`${address}/login`);
  expect(await response.text()).toContain('a touch of your YubiKey');
});

test('npm start refuses demo mode in production', async () => {
  const { child, output } = npmStart({ NODE_ENV: 'production', SESSION_SECRET: 'x'.repeat(32) });
  const [code] = await once(child, 'exit');
  expect(code).toBe(1);
  expect(output()).toContain('Demo mode is refused with NODE_ENV=production');
  expect(output()).not.toMatch(/^\s+at /m);
});

const PRODUCTION = {
  NODE_ENV: 'production',
  SESSION_SECRET: 'x'.repeat(32),
  YUBICO_CLIENT_ID: '1',
  YUBICO_API_KEY: 'AAAA',
};

async function expectFailedStart(environment: NodeJS.ProcessEnv): Promise<string> {
  const { child, output } = npmStart(environment);
  const [code] = await once(child, 'exit');
  expect(code).toBe(1);
  expect(output()).not.toMatch(/^\s+at /m);
  return output();
}

test("npm start refuses the demo's database file outside demo mode, in production or not", async () => {
  for (const NODE_ENV of ['production', undefined]) {
    expect(await expectFailedStart({ ...PRODUCTION, NODE_ENV, DATABASE_FILE: '' })).toContain(
      "is the demo's database: set DATABASE_FILE to another one",
    );
  }
});

describeWith('a PostgreSQL database', missingPostgres, () => {
  test('that a demo has used is refused in production, and npm start ends', async () => {
    const postgres = await PostgresServer.start();
    try {
      const shared = { DATABASE_URL: postgres.url, SESSION_SECRET: PRODUCTION.SESSION_SECRET };
      const { child, output } = npmStart(shared);
      await expect.poll(output, { timeout: 30_000 }).toContain('alice with the password wonderland');
      if (child.pid) process.kill(-child.pid, 'SIGTERM');
      await once(child, 'exit');
      const message = await expectFailedStart({ ...PRODUCTION, ...shared });
      expect(message).toContain("the demo's user alice");
      expect(message).toContain("AES keys of the demo's virtual YubiKeys");
    } finally {
      await postgres.stop();
    }
  });
});
