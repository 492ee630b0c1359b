import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../support/command.js';
import { firstClient, serve, store, verdict } from '../support/serve/service.js';

const GARBAGE = 'cccccccccccccccccccccccccccccccc';

it('limits one address and no other', async () => {
  const service = await serve(['--address-limit', '3', '--trust-proxy', '127.0.0.1'], {
    cwd: temporaryFolder(),
    env: { YUBIKEY_MANAGEMENT_TOKEN: 'a-token-of-16-characters' },
  });
  const from = (address: string, path = '/wsapi/2.0/verify') =>
    fetch(service.url + path, { headers: { 'x-forwarded-for': address } });
  const statuses = [];
  for (let tries = 0; tries < 4; tries++) statuses.push((await from('192.0.2.1')).status);
  expect(statuses).toEqual([200, 200, 200, 429]);
  const refused = await from('192.0.2.1', '/wsapi/decrypt');
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(30);
  expect((await from('192.0.2.2')).status).toBe(200);
  expect((await from('192.0.2.1', '/ready')).status).toBe(200);
  for (const last of ['1', '2', '3', '4']) statuses.push((await from(`2001:db8:0:1::${last}`)).status);
  expect(statuses.slice(4)).toEqual([200, 200, 200, 429]);
  expect((await from('2001:db8:0:2::1')).status).toBe(200);
});

it('counts only signed requests against a client, so that nobody else can lock it out', async () => {
  const cwd = temporaryFolder();
  const service = await serve(['--client-limit', '2'], { cwd });
  const yubikey = new SoftYubikey();
  await store([yubikey], { cwd });
  const client = firstClient(cwd);
  const forged = { clientId: client.clientId, apiKey: 'QUJDREVGR0hJSktMTU5PUFFSU1Q=' };
  for (let tries = 0; tries < 10; tries++) {
    const unsigned = `/wsapi/2.0/verify?id=1&otp=${yubikey.publicId}${GARBAGE}&nonce=1234567890123456`;
    expect((await fetch(service.url + unsigned)).status).toBe(200);
    await expect(verdict(service, forged, yubikey.press(), { retries: 0 })).rejects.toThrow();
  }
  expect(await verdict(service, client, yubikey.press())).toBe('OK');
  expect(await verdict(service, client, yubikey.press())).toBe('OK');
  await expect(verdict(service, client, yubikey.press(), { retries: 0 })).rejects.toThrow();
  expect(await service.line({ http: 429 })).toMatchObject({ status: 'HTTP_ERROR', level: 'info' });
});

it('limits replays of a key, but never its fresh OTPs', async () => {
  const cwd = temporaryFolder();
  const service = await serve(['--replay-limit', '2'], { cwd });
  const yubikey = new SoftYubikey();
  await store([yubikey], { cwd });
  const client = firstClient(cwd);
  for (let tries = 0; tries < 5; tries++) {
    expect(await verdict(service, client, yubikey.publicId + GARBAGE)).toBe('BAD_OTP');
  }
  const used = yubikey.press();
  expect(await verdict(service, client, used)).toBe('OK');
  expect(await verdict(service, client, used)).toBe('REPLAYED_OTP');
  expect(await verdict(service, client, used)).toBe('REPLAYED_OTP');
  await expect(verdict(service, client, used, { retries: 0 })).rejects.toThrow();
  expect(await verdict(service, client, yubikey.press())).toBe('OK');
});
