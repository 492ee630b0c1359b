import { afterAll, beforeAll, expect, it } from 'vitest';
import { SoftYubikey } from '../../../../src/testing/index.js';
import { describeWith } from '../../programs.js';
import { run } from './run.js';
import type { StartValidationServer, ValidationServer } from './validation-server.js';

const NOBODY = 'http://127.0.0.1:9/wsapi/2.0/verify';
const OTHER_API_KEY = 'b3RoZXIgYXBpIGtleSBvZiAyMA==';

const ACCEPTED = { exitCode: 0, verdict: 'Verification output (0): Success' };
const REPLAYED = {
  exitCode: 2,
  verdict: 'Verification output (2): Yubikey OTP was replayed (REPLAYED_OTP)',
};
const BAD_OTP = { exitCode: 3, verdict: 'Verification output (1): Yubikey OTP was bad (BAD_OTP)' };
const NO_SUCH_CLIENT = {
  exitCode: 3,
  verdict: 'Verification output (5): Client identity does not exist (NO_SUCH_CLIENT)',
};
const NOT_AUTHENTIC = {
  exitCode: 3,
  verdict: 'Verification output (107): Server response signature was invalid (BAD_SERVER_SIGNATURE)',
};
const NOT_REACHED = { exitCode: 3, verdict: 'Verification output (109): Error performing curl' };

/** Tests what Yubico's original ykclient reports about a validation server. */
export function describeYkclient(server: string, startValidationServer: StartValidationServer): void {
  describeWith(`Yubico's ykclient at ${server}`, ['ykclient'], () => describeVerdicts(startValidationServer));
}

function describeVerdicts(startValidationServer: StartValidationServer): void {
  let plain: ValidationServer;
  let tls: ValidationServer;

  beforeAll(async () => {
    plain = await startValidationServer();
    tls = await startValidationServer({ tls: true });
  });
  afterAll(async () => {
    await plain?.close();
    await tls?.close();
  });

  async function verify(args: readonly string[], otp: string, clientId = plain.clientId) {
    const { exitCode, output } = await run('ykclient', ['--debug', ...args, clientId, otp]);
    const verdict = output.split('\n').find((line) => line.startsWith('Verification output'));
    return { exitCode, verdict, status: /^ {2}status: (.*)$/m.exec(output)?.[1] };
  }

  const cases = [
    ['without an API key', () => ['--url', plain.url]],
    ['with an API key', () => ['--url', plain.url, '--apikey', plain.apiKey]],
  ] as const;

  it.each(cases)('%s: a fresh OTP is accepted, a used one is replayed', async (_, args) => {
    const otp = plain.yubikey.press();
    expect(await verify(args(), otp)).toMatchObject(ACCEPTED);
    expect(await verify(args(), otp)).toMatchObject(REPLAYED);
  });

  it.each(cases)('%s: an OTP older than the last one is replayed', async (_, args) => {
    const [older, newer] = [plain.yubikey.press(), plain.yubikey.press()];
    expect(await verify(args(), newer)).toMatchObject(ACCEPTED);
    expect(await verify(args(), older)).toMatchObject(REPLAYED);
  });

  it.each(cases)('%s: an OTP of an unknown key and a forged OTP are bad', async (_, args) => {
    const imposter = new SoftYubikey({ publicId: plain.yubikey.publicId });
    expect(await verify(args(), new SoftYubikey().press())).toMatchObject(BAD_OTP);
    expect(await verify(args(), imposter.press())).toMatchObject(BAD_OTP);
  });

  it('a wrong API key verifies nothing and does not use up the OTP', async () => {
    const otp = plain.yubikey.press();
    const wrong = ['--url', plain.url, '--apikey', OTHER_API_KEY];
    expect(await verify(wrong, otp)).toMatchObject({ ...NOT_AUTHENTIC, status: 'BAD_SIGNATURE' });
    expect(await verify(['--url', plain.url, '--apikey', plain.apiKey], otp)).toMatchObject(ACCEPTED);
  });

  it('an unknown client gets NO_SUCH_CLIENT, which it cannot authenticate with an API key', async () => {
    const otp = plain.yubikey.press();
    expect(await verify(['--url', plain.url], otp, '4711')).toMatchObject(NO_SUCH_CLIENT);
    expect(await verify(['--url', plain.url, '--apikey', plain.apiKey], otp, '4711')).toMatchObject({
      ...NOT_AUTHENTIC,
      status: 'NO_SUCH_CLIENT',
    });
  });

  it('a URL template from before protocol 2.0 works too', async () => {
    const template = ['--url', `${plain.url}?id=%d&otp=%s`];
    const otp = plain.yubikey.press();
    expect(await verify(template, otp)).toMatchObject(ACCEPTED);
    expect(await verify(template, otp)).toMatchObject(REPLAYED);
  });

  it('several URLs: the last one is used', async () => {
    const both = (first: string, last: string) => ['--url', first, '--url', last, '--apikey', plain.apiKey];
    expect(await verify(both(NOBODY, plain.url), plain.yubikey.press())).toMatchObject(ACCEPTED);
    expect(await verify(both(plain.url, NOBODY), plain.yubikey.press())).toMatchObject(NOT_REACHED);
  });

  it('https: with a trusted authority, with and without an API key', async () => {
    const ca = ['--url', tls.url, '--cai', tls.caFile as string];
    const otp = tls.yubikey.press();
    expect(await verify([...ca, '--apikey', tls.apiKey], otp)).toMatchObject(ACCEPTED);
    expect(await verify(ca, otp)).toMatchObject(REPLAYED);
    expect(await verify(ca, tls.yubikey.press())).toMatchObject(ACCEPTED);
  });

  it('https: with an unknown authority verifies nothing and does not use up the OTP', async () => {
    const otp = tls.yubikey.press();
    expect(await verify(['--url', tls.url], otp)).toMatchObject(NOT_REACHED);
    expect(await verify(['--url', tls.url, '--cai', tls.caFile as string], otp)).toMatchObject(ACCEPTED);
  });
}
