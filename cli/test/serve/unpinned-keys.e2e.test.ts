import { setTimeout as sleep } from 'node:timers/promises';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { expect, it } from 'vitest';
import { hex, run, temporaryFolder } from '../support/command.js';
import { firstClient, type Service, serve, verdict } from '../support/serve/service.js';

/** So long a service believes what it has read of a key. */
const CACHED_MS = 1_100;

async function rest({ url }: Service, otp: string): Promise<string> {
  const response = await fetch(`${url}/api/v1/decrypt`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ otp }),
  });
  const body = (await response.json()) as { status: string; error_code?: string };
  return body.error_code ?? body.status;
}

const wsapi = async ({ url }: Service, otp: string) =>
  (await (await fetch(`${url}/wsapi/decrypt?otp=${otp}`)).text()).trim();

/** Two services and commands over one database, with a key whose private ID nobody told. */
async function start() {
  const cwd = temporaryFolder();
  const services = [await serve([], { cwd }), await serve(['--wsapi-refuse-replays'], { cwd })] as const;
  const client = firstClient(cwd);
  const yubikey = new SoftYubikey();
  const { publicId, aesKey } = yubikey;
  const command = (args: string[], input = '') => run(args, { cwd, input });
  expect(await command(['keys', 'add', publicId], `${hex(aesKey)}\n\n`)).toMatchObject({ code: 0 });
  return {
    services,
    yubikey,
    verify: (otp: string) => command(['verify', otp]),
    pin: (otp: string) => command(['keys', 'pin', publicId], otp),
    validate: (otp: string) =>
      Promise.all(services.map((service) => verdict(service, client, otp).catch(({ code }) => code))),
  };
}

it('a key without a private ID is verified nowhere until an administrator pins it, and nothing seen before is', async () => {
  const { services, yubikey, verify, pin, validate } = await start();
  const [older, seen, pinned] = [yubikey.press(), yubikey.press(), yubikey.press()];
  for (const otp of [older, seen]) {
    expect(await verify(otp)).toMatchObject({ code: 2, stderr: expect.stringContaining('keys pin') });
    expect(await validate(otp)).toEqual(['BACKEND_ERROR', 'BACKEND_ERROR']);
    for (const service of services) expect(await wsapi(service, otp)).toBe('ERR Private ID unknown');
  }
  expect(await rest(services[0], seen)).toBe('PRIVATE_ID_UNKNOWN');
  for (const service of services) expect(await rest(service, seen)).toBe('REPLAY_DETECTED');
  for (const used of [seen, older]) {
    expect(await pin(used)).toMatchObject({ code: 1, stderr: expect.stringContaining('is not fresh') });
  }
  expect(await pin(pinned)).toMatchObject({ code: 0 });
  await sleep(CACHED_MS);
  for (const used of [older, seen, pinned]) {
    expect(await validate(used)).toEqual(['REPLAYED_OTP', 'REPLAYED_OTP']);
    for (const service of services) expect(await rest(service, used)).toBe('REPLAY_DETECTED');
    expect(await wsapi(services[1], used)).toBe('ERR Replayed OTP');
    expect(await verify(used)).toMatchObject({ code: 1, stdout: expect.stringContaining('REPLAYED_OTP') });
  }
  expect(await verify(yubikey.press())).toMatchObject({ code: 0 });
});

it('a key without a private ID is pinned by two OTPs at the REST API of two services, and both are used up', async () => {
  const { services, yubikey, verify, pin, validate } = await start();
  const [first, second] = [yubikey.press(), yubikey.press()];
  const at = (otp: string) => Promise.all([...services, ...services].map((service) => rest(service, otp)));
  expect((await at(first)).sort()).toEqual(['PRIVATE_ID_UNKNOWN', ...Array(3).fill('REPLAY_DETECTED')]);
  expect((await at(second)).sort()).toEqual(['OK', ...Array(3).fill('REPLAY_DETECTED')]);
  await sleep(CACHED_MS);
  for (const used of [first, second]) {
    expect(await pin(used)).toMatchObject({ code: 1, stderr: expect.stringContaining('is not fresh') });
    expect(await validate(used)).toEqual(['REPLAYED_OTP', 'REPLAYED_OTP']);
    expect(await verify(used)).toMatchObject({ code: 1 });
  }
  expect(await verify(yubikey.press())).toMatchObject({ code: 0 });
  expect(await rest(services[1], yubikey.press())).toBe('OK');
});
