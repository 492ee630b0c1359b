import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { expect, it } from 'vitest';
import { hex, listSpellings, temporaryFolder } from '../support/command.js';
import { firstClient, serve, store, verdict } from '../support/serve/service.js';

const TOKEN = 'canary-token-7c1e9b52d0a84f36';

/** Bytes in every spelling in which they could leak. */
function spelled(bytes: Uint8Array): string[] {
  const buffer = Buffer.from(bytes);
  const digits = hex(buffer);
  const modhex = digits.replace(/./g, (digit) => 'cbdefghijklnrtuv'[Number.parseInt(digit, 16)] as string);
  const base64 = buffer.toString('base64');
  return [
    digits,
    digits.toUpperCase(),
    modhex,
    base64,
    base64.replace(/=+$/, ''),
    buffer.toString('base64url'),
  ];
}

it('writes no secret to logs, metrics, health or messages, whatever it is asked', async () => {
  const cwd = temporaryFolder();
  const service = await serve(['--log-level', 'debug'], { cwd, env: { YUBIKEY_MANAGEMENT_TOKEN: TOKEN } });
  const [known, added, unknown] = [new SoftYubikey(), new SoftYubikey(), new SoftYubikey()];
  await store([known], { cwd });
  const client = firstClient(cwd);
  const otps: string[] = [];
  const press = (yubikey: SoftYubikey) => {
    otps.push(yubikey.press());
    return otps.at(-1) as string;
  };
  const body = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  const post = (path: string, value: unknown, authorization = `Bearer ${TOKEN}`) =>
    fetch(service.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization },
      body: body(value),
    });

  const ok = press(known);
  expect(await verdict(service, client, ok)).toBe('OK');
  expect(await verdict(service, client, ok)).toBe('REPLAYED_OTP');
  expect(await verdict(service, client, press(unknown))).toBe('BAD_OTP');
  const forged = `${known.publicId}${press(unknown).slice(-32)}`;
  expect(await verdict(service, client, forged)).toBe('BAD_OTP');
  const wrong = { clientId: '1', apiKey: Buffer.from(client.apiKey, 'base64').reverse().toString('base64') };
  await expect(verdict(service, wrong, press(known), { retries: 0 })).rejects.toThrow();

  const key = { key_id: added.publicId, aes_key: hex(added.aesKey), description: 'canary' };
  expect((await post('/api/v1/keys', key)).status).toBe(201);
  expect((await post('/api/v1/keys', key)).ok).toBe(false);
  expect((await post('/api/v1/keys', key, 'Bearer wrong')).status).toBe(401);
  expect((await post('/api/v1/keys', `${JSON.stringify(key)}}`)).status).toBe(400);
  expect((await post('/api/v1/keys', { ...key, aes_key: `${key.aes_key}00` })).status).toBe(400);
  await post('/api/v1/decrypt', { otp: press(known) });
  await post('/api/v1/decrypt', { otp: otps.at(-1) });
  await post('/api/v1/decrypt', { otp: press(added) });
  await post('/api/v1/decrypt', { otp: press(added) });
  await post('/api/v1/decrypt', `{"otp":"${press(known)}`);
  await post(`/api/v1/keys/${press(known)}`, {});
  await fetch(`${service.url}/api/v1/keys/${press(known)}`, { method: 'DELETE' });
  for (const path of ['/wsapi/decrypt/?otp=', '/wsapi/2.0/verify?id=1&otp=', '/', '/wsapi/verify?otp=x&']) {
    await fetch(service.url + path + press(known));
    await fetch(`${service.url}${path}${press(known)}%0a`);
  }
  const answers = await Promise.all(
    ['/metrics', '/health', '/ready'].map(async (path) => (await fetch(service.url + path)).text()),
  );
  const { stdout, stderr } = await service.stop();
  expect(stdout.split('\n').length).toBeGreaterThan(20);

  const masterKey = readFileSync(join(cwd, 'yubikey-otp.master-key'), 'utf8').trim().split(':')[1] as string;
  const secrets = [
    ...otps.flatMap((otp) => [otp, otp.slice(-32), otp.toUpperCase()]),
    ...[known, added, unknown].flatMap(listSpellings),
    ...[client.apiKey, wrong.apiKey, masterKey].flatMap((text) => spelled(Buffer.from(text, 'base64'))),
    TOKEN,
    ...spelled(Buffer.from(TOKEN)),
  ];
  const told = [stdout, stderr, ...answers].join('\n');
  for (const secret of secrets) expect(told.includes(secret)).toBe(false);
  // It is told which key and which client it was.
  for (const name of [known.publicId, added.publicId, '"client":"1"']) expect(told).toContain(name);
});
