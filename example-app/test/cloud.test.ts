import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { newDatabaseFile, openApp, submitOtp, submitPassword } from './support.js';

const FOLDER = fileURLToPath(new URL('..', import.meta.url));
const API_KEY = 'mG5be6ZJU1qBGz24yPh/ESM3UdU=';

let server: Server;
let environment: Record<string, string>;
const used = new Set<string>();

beforeEach(async () => {
  used.clear();
  server = createServer((req, res) => res.end(answer(new URL(req.url ?? '', 'http://localhost'))));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  environment = {
    DATABASE_FILE: newDatabaseFile(),
    YUBICO_CLIENT_ID: '87',
    YUBICO_API_KEY: API_KEY,
    YUBIKEY_SERVERS: `http://127.0.0.1:${(server.address() as AddressInfo).port}/wsapi/2.0/verify`,
  };
});
afterEach(() => {
  server.close();
});

/** A validation server that takes every OTP once. */
function answer({ searchParams }: URL): string {
  const otp = searchParams.get('otp') ?? '';
  const fields: Record<string, string> = {
    nonce: searchParams.get('nonce') ?? '',
    otp,
    sl: '100',
    status: used.has(otp) ? 'REPLAYED_OTP' : 'OK',
    t: new Date().toISOString().replace(/Z$/, '0'),
  };
  used.add(otp);
  const signed = Object.entries(fields).map((pair) => pair.join('='));
  const signature = createHmac('sha1', Buffer.from(API_KEY, 'base64')).update(signed.join('&'));
  return [`h=${signature.digest('base64')}`, ...signed, ''].join('\r\n');
}

/** `npm run add-user`, with one line of input for each question. */
async function addUser(name: string, ...lines: string[]) {
  const { PATH, HOME } = process.env;
  const child = spawn('npm', ['run', '--silent', 'add-user', '--', name], {
    cwd: FOLDER,
    env: { PATH, HOME, ...environment },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text;
    });
  }
  child.stdin.end(lines.map((line) => `${line}\n`).join(''));
  const [code] = await once(child, 'close');
  return { code, output };
}

describe('with validation servers', () => {
  test('a user is added by touching her key, and signs in with it', async () => {
    const key = new SoftYubikey();
    const first = key.press();
    const added = await addUser('bob', 'a good password', first);
    expect(added.output).toContain(`bob can sign in now, with the key ${key.publicId}`);
    expect(added.output).not.toMatch(new RegExp(`a good password|${first}`));
    expect(added.code).toBe(0);

    const app = await openApp(environment);
    const browser = app.openBrowser();
    expect((await submitPassword(browser, 'bob', 'a good password')).headers.location).toBe('/login/yubikey');
    expect((await submitOtp(browser, first)).status).toBe(401);
    expect((await submitOtp(browser, new SoftYubikey().press())).status).toBe(401);
    expect((await submitOtp(browser, key.press())).headers.location).toBe('/account');
    await app.close();
  });

  test('add-user says what is wrong, and adds nobody', async () => {
    const key = new SoftYubikey();
    await addUser('bob', 'a good password', key.press());
    expect((await addUser('bob')).output).toContain('There is a user bob already');
    expect((await addUser('eve', 'short')).output).toContain('at least 8 characters');
    expect((await addUser('eve', 'a good password', 'hello')).output).toContain('Not a YubiKey OTP');
    const taken = await addUser('eve', 'a good password', key.press());
    expect(taken.output).toContain(`The key ${key.publicId} belongs to bob already`);
    expect(taken.code).toBe(1);

    const app = await openApp(environment);
    expect(app.users.byName('eve')).toBeUndefined();
    await app.close();
  });

  test('servers that cannot be reached are a 503 page', async () => {
    const errorLog = vi.spyOn(console, 'error').mockImplementation(() => {});
    const app = await openApp(environment);
    const key = new SoftYubikey();
    app.users.giveKey(await app.users.add('bob', 'a good password'), key.publicId);
    const browser = app.openBrowser();
    await submitPassword(browser, 'bob', 'a good password');

    server.close();
    server.closeAllConnections();
    const response = await submitOtp(browser, key.press());
    expect(response.status).toBe(503);
    expect(response.text).toContain('Your key could not be checked right now.');
    expect(errorLog).toHaveBeenCalledOnce();
    errorLog.mockRestore();
    await app.close();
  });
});

test('in demo mode, add-user says what to set', async () => {
  environment = { DATABASE_FILE: newDatabaseFile() };
  const { code, output } = await addUser('bob');
  expect(code).toBe(1);
  expect(output).toContain('set YUBICO_CLIENT_ID and YUBICO_API_KEY');
});
