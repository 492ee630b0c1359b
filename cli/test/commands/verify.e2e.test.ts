import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { newMasterKey } from 'passport-yubikey-otp/stores';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { afterEach, describe, expect, it } from 'vitest';
import {
  API_KEY,
  answer,
  answerText,
  type Behaviour,
  CLIENT_ID,
  closeFakeServers,
  deadServer,
  hang,
  startFakeServer,
  text,
} from '../../../test/support/verifiers/cloud/fake-server.js';
import { commandOn, type Ended, expectNoSecrets, hex, run, temporaryFolder } from '../support/command.js';

const newCommand = () =>
  commandOn(join(temporaryFolder(), 'keys.db'), `first:${newMasterKey().toString('base64')}`);

/** A command with a database that knows the key. */
async function enrolled(yubikey: SoftYubikey, privateId = hex(yubikey.privateId)) {
  const command = newCommand();
  const input = `${hex(yubikey.aesKey)}\n${privateId}\n`;
  expect(await command(['keys', 'add', yubikey.publicId], { input })).toMatchObject({ code: 0 });
  return command;
}

function expectNoOtp(ended: Ended, otp: string): void {
  expect((ended.stdout + ended.stderr).toLowerCase()).not.toContain(otp.slice(-32));
}

describe('yubikey-otp verify, with the database', () => {
  it('quotes the empty public ID in the command that it advises', async () => {
    const yubikey = new SoftYubikey({ publicId: '' });
    const command = await enrolled(yubikey);
    expect(await command(['keys', 'disable', ''])).toMatchObject({ code: 0 });
    expect(await command(['verify', yubikey.press()])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("yubikey-otp keys enable ''"),
    });
  });

  it('accepts an OTP once: 0, then 1', async () => {
    const yubikey = new SoftYubikey();
    const { publicId } = yubikey;
    const command = await enrolled(yubikey);
    const otp = yubikey.press();
    const first = await command(['verify', otp]);
    expect(first).toEqual({
      code: 0,
      stdout: `OK ${publicId}, usage counter 1, session use 0\n`,
      stderr: '',
    });
    const again = await command(['verify', otp]);
    expect(again).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^REPLAYED_OTP: .*touch the key again\n$/),
    });
    for (const ended of [first, again]) {
      expectNoOtp(ended, otp);
      expectNoSecrets(ended, yubikey);
    }
  });

  it('prints JSON', async () => {
    const yubikey = new SoftYubikey();
    const { publicId } = yubikey;
    const command = await enrolled(yubikey);
    const otp = yubikey.press();
    expect(await command.json('verify', otp)).toEqual({
      ok: true,
      publicId,
      counters: { usageCounter: 1, sessionUse: 0, timestamp: expect.any(Number) },
    });
    expect(await command.json('verify', otp)).toEqual({
      ok: false,
      reason: 'REPLAYED_OTP',
      meaning: expect.any(String),
    });
    expect(await command.json('verify', 'foo')).toMatchObject({ ok: false, reason: 'OTP_MALFORMED' });
  });

  it('reads an OTP, however typed, from standard input', async () => {
    const yubikey = new SoftYubikey({ layout: 'us(dvorak)' });
    const command = await enrolled(yubikey);
    expect(await command(['verify'], { input: `${yubikey.press()}\nmore\n` })).toMatchObject({ code: 0 });
    expect(await command(['verify', '-'], { input: yubikey.press({ capsLock: true }) })).toMatchObject({
      code: 0,
    });
    expect(await command(['verify'])).toMatchObject({
      code: 1,
      stdout: 'OTP_MALFORMED: Not a YubiKey OTP: it is empty\n',
    });
  });

  it('tells why an OTP is bad: 1', async () => {
    const yubikey = new SoftYubikey();
    const { publicId, aesKey } = yubikey;
    const command = await enrolled(yubikey);
    const unknown = new SoftYubikey();
    const bad = async (otp: string) => {
      const ended = await command(['verify', otp]);
      expect(ended).toMatchObject({ code: 1, stdout: expect.stringMatching(/^BAD_OTP: /) });
      expectNoOtp(ended, otp);
      return ended.stdout;
    };
    expect(await bad(unknown.press())).toContain(`there is no key ${unknown.publicId}`);
    expect(await bad(new SoftYubikey({ publicId }).press())).toContain('does not fit');
    expect(await bad(new SoftYubikey({ publicId, aesKey }).press())).toContain('does not fit');
    await command(['keys', 'disable', publicId]);
    expect(await bad(yubikey.press())).toContain(`yubikey-otp keys enable ${publicId}`);
  });

  it('refuses a text that is not an OTP, without repeating it: 1', async () => {
    const otp = new SoftYubikey().press();
    for (const input of [`${otp}${otp}`, otp.slice(13), `${otp}!`]) {
      const ended = await newCommand()(['verify', input]);
      expect(ended).toMatchObject({ code: 1, stdout: expect.stringMatching(/^OTP_MALFORMED: /) });
      expect(ended.stdout + ended.stderr).not.toContain(otp.slice(13));
    }
  });

  it('gives no verdict if the set-up is wrong: 2', async () => {
    const yubikey = new SoftYubikey();
    const unpinned = await enrolled(yubikey, '');
    const cwd = temporaryFolder();
    const otp = yubikey.press();
    const otherKey = { YUBIKEY_MASTER_KEY: `other:${newMasterKey().toString('base64')}` };
    for (const [ended, says] of [
      [await unpinned(['verify', otp]), `yubikey-otp keys pin ${yubikey.publicId}`],
      [await unpinned(['verify', otp], { env: otherKey }), 'does not fit this database'],
      [await unpinned(['verify', otp], { cwd, env: { YUBIKEY_MASTER_KEY: '' } }), 'There is no master key'],
      [await newCommand()(['verify', otp]), 'There is no database at'],
      [await unpinned(['verify', otp, otp]), 'too many arguments'],
      [await unpinned(['verify', otp, '--client-id', '87']), '--client-id is for validation servers'],
    ] as const) {
      expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(says) });
      expectNoOtp(ended, otp);
    }
    expect(readdirSync(cwd)).toEqual([]);
  });
});

describe('yubikey-otp verify, at validation servers', () => {
  afterEach(closeFakeServers);

  const yubikey = new SoftYubikey();
  const env = { YUBIKEY_CLIENT_ID: CLIENT_ID, YUBIKEY_API_KEY: API_KEY };

  async function verifyAt(urls: string[], options: { args?: string[]; env?: Record<string, string> } = {}) {
    const otp = yubikey.press();
    const args = ['verify', ...urls.flatMap((url) => ['--url', url]), ...(options.args ?? []), otp];
    const ended = await run(args, { env: options.env ?? env });
    expectNoOtp(ended, otp);
    expect(ended.stdout + ended.stderr).not.toContain(API_KEY.slice(0, -1));
    return ended;
  }

  it.each([
    ['OK', 0, /^OK vv\w{10}\n$/],
    ['REPLAYED_OTP', 1, /^REPLAYED_OTP: .*touch the key again\n$/],
    ['BAD_OTP', 1, /^BAD_OTP: the server does not know the key/],
  ])('reports an authentic %s', async (status, code, stdout) => {
    const { url } = await startFakeServer(answer(status));
    expect(await verifyAt([url])).toMatchObject({ code, stdout: expect.stringMatching(stdout), stderr: '' });
  });

  it.each([
    ['BACKEND_ERROR', answer('BACKEND_ERROR'), 'BACKEND_ERROR'],
    ['no answer', hang, 'no answer'],
    ['a forged answer', text('status=OK\r\n'), 'No validation server gave a verdict'],
    ['an unknown client', answer('NO_SUCH_CLIENT'), 'does not know the clientId'],
  ] as [string, Behaviour, string][])('gives no verdict for %s: 2', async (_name, behaviour, says) => {
    const { url } = await startFakeServer(behaviour);
    const ended = await verifyAt([url], { args: ['--timeout', '1.5'] });
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(says) });
    expect(ended.stderr).toContain(url);
  });

  it('asks all servers, and prefers options to the environment', async () => {
    const { url, requests } = await startFakeServer(answer('OK'));
    const ended = await verifyAt([await deadServer(), url], {
      args: ['--client-id', '12', '--json'],
    });
    expect(ended.code).toBe(0);
    expect(JSON.parse(ended.stdout)).toEqual({ ok: true, publicId: yubikey.publicId, counters: null });
    expect(requests[0]?.get('id')).toBe('12');
  });

  it('reads the API key from a file', async () => {
    const { url } = await startFakeServer(answer('OK'));
    const path = join(temporaryFolder(), 'api-key');
    const args = ['--api-key-file', path];
    expect(await verifyAt([url], { args })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('ENOENT'),
    });
    writeFileSync(path, '\n');
    expect(await verifyAt([url], { args })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no API key'),
    });
    writeFileSync(path, API_KEY.slice(1));
    expect(await verifyAt([url], { args })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('base64'),
    });
    writeFileSync(path, `${API_KEY}\n`);
    expect(
      await verifyAt([url], { args, env: { YUBIKEY_CLIENT_ID: CLIENT_ID, YUBIKEY_API_KEY: 'b3RoZXI=' } }),
    ).toMatchObject({
      code: 0,
    });
  });

  it('trusts a server with a certificate of a given CA, and warns without an API key', async () => {
    const fixture = (name: string) =>
      fileURLToPath(new URL(`../../../test/support/fixtures/tls/${name}`, import.meta.url));
    const [key, cert] = ['server.key.pem', 'server.pem'].map((name) => readFileSync(fixture(name)));
    const { url } = await startFakeServer(answer('OK'), {
      create: (listener: RequestListener) => createTlsServer({ key, cert }, listener) as unknown as Server,
      scheme: 'https',
    });
    const withoutKey = { YUBIKEY_CLIENT_ID: CLIENT_ID };
    expect(await verifyAt([url], { args: ['--ca', fixture('ca.pem')], env: withoutKey })).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^Warning: Without an API key/),
    });
    expect(await verifyAt([url])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('TLS failed'),
    });
  });

  it('speaks protocol 1.0', async () => {
    const { url, requests } = await startFakeServer(
      (_query, res) => void res.end(answerText({ t: '2026-11-21T23:21:39Z0649', status: 'OK' })),
      { create: createServer, path: '/wsapi/verify' },
    );
    expect(await verifyAt([url], { args: ['--protocol', '1.0'] })).toMatchObject({ code: 0 });
    expect(requests[0]?.has('nonce')).toBe(false);
  });

  it.each([
    [['--url', 'https://127.0.0.1/'], {}, '--client-id'],
    [['--url', 'https://127.0.0.1/', '--timeout', '0'], env, '--timeout takes seconds'],
    [['--url', 'https://127.0.0.1/', '--protocol', '1.1'], env, 'Allowed choices'],
    [['--url', 'https://127.0.0.1/', '--ca', '/nonexistent'], env, 'PEM file'],
    [['--url', 'http://example.com/'], { YUBIKEY_CLIENT_ID: '1' }, 'Anybody on the network could forge'],
    [['--url', 'ftp://example.com/'], env, 'takes URLs like'],
  ] as [string[], Record<string, string>, string][])(
    'refuses to be called with %j: 2',
    async (args, env, says) => {
      const ended = await run(['verify', ...args, yubikey.press()], { env });
      expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(says) });
    },
  );
});
