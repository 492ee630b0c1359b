import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SoftYubikey } from '../../../../src/testing/index.js';
import { describeWith } from '../../programs.js';
import { run } from './run.js';
import type { StartValidationServer, ValidationServer } from './validation-server.js';

const NOBODY = 'http://127.0.0.1:9/wsapi/2.0/verify';
const OTHER_API_KEY = 'b3RoZXIgYXBpIGtleSBvZiAyMA==';
const SERVICE = 'yubikey-test';
const USER = 'alice';

/** Searches the library folders, including those named after the architecture. */
function findLibrary(file: string): string | undefined {
  const folders = readdirSync('/usr/lib', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join('/usr/lib', name));
  return ['/lib', '/usr/lib', ...folders]
    .map((folder) => join(folder, file))
    .find((path) => existsSync(path));
}

const module = findLibrary('security/pam_yubico.so');
/** Makes PAM read its services from a folder of the test instead of /etc/pam.d. */
const wrapper = findLibrary('libpam_wrapper.so');
const missing = [...(module ? [] : ['libpam-yubico']), ...(wrapper ? [] : ['libpam-wrapper'])];

const ACCEPTED = { exitCode: 0, said: 'successfully authenticated', verdict: '(0): Success' };
const REFUSED = { exitCode: 1, said: 'Authentication failure' };
const REPLAYED = { ...REFUSED, verdict: '(2): Yubikey OTP was replayed (REPLAYED_OTP)' };
const BAD_OTP = { ...REFUSED, verdict: '(1): Yubikey OTP was bad (BAD_OTP)' };
const FAULT = { exitCode: 1, said: 'Authentication service cannot retrieve authentication info' };
const NOT_AUTHENTIC = {
  ...FAULT,
  verdict: '(107): Server response signature was invalid (BAD_SERVER_SIGNATURE)',
};
const NO_SUCH_CLIENT = { ...FAULT, verdict: '(5): Client identity does not exist (NO_SUCH_CLIENT)' };
const NOT_REACHED = { ...FAULT, verdict: '(109): Error performing curl' };

/** Tests logins by the original pam_yubico at a validation server. */
export function describePam(server: string, startValidationServer: StartValidationServer): void {
  describeWith(`a login by pam_yubico at ${server}`, ['pamtester', ...missing], () =>
    describeLogins(startValidationServer),
  );
}

function describeLogins(startValidationServer: StartValidationServer): void {
  let folder: string;
  let plain: ValidationServer;
  let tls: ValidationServer;
  const stranger = new SoftYubikey();

  beforeAll(async () => {
    plain = await startValidationServer();
    tls = await startValidationServer({ tls: true });
    folder = mkdtempSync(join(tmpdir(), 'pam-'));
    const keys = [plain.yubikey, tls.yubikey, stranger].map(({ publicId }) => publicId);
    writeFileSync(join(folder, 'keys'), `${[USER, ...keys].join(':')}\n`);
  });
  afterAll(async () => {
    await plain?.close();
    await tls?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function logIn(
    options: string,
    otp: string,
    { clientId, apiKey } = plain as Partial<ValidationServer>,
  ) {
    const debug = join(folder, 'debug');
    writeFileSync(debug, '');
    const client = `id=${clientId}${apiKey === undefined ? '' : ` key=${apiKey}`}`;
    const files = `authfile=${join(folder, 'keys')} debug debug_file=${debug}`;
    writeFileSync(join(folder, SERVICE), `auth required ${module} ${client} ${options} ${files}\n`);
    const { exitCode, output } = await run('pamtester', [SERVICE, USER, 'authenticate'], {
      input: `${otp}\n`,
      env: { LD_PRELOAD: wrapper as string, PAM_WRAPPER: '1', PAM_WRAPPER_SERVICE_DIR: folder },
    });
    return {
      exitCode,
      said: /pamtester: (.*)/.exec(output)?.[1],
      verdict: /ykclient return value (.*)/.exec(readFileSync(debug, 'utf8'))?.[1],
    };
  }

  it('is accepted with a fresh OTP, and refused with a used one', async () => {
    const otp = plain.yubikey.press();
    expect(await logIn(`urllist=${plain.url}`, otp)).toEqual(ACCEPTED);
    expect(await logIn(`urllist=${plain.url}`, otp)).toEqual(REPLAYED);
  });

  it('works the same without an API key', async () => {
    const { clientId } = plain;
    const otp = plain.yubikey.press();
    expect(await logIn(`urllist=${plain.url}`, otp, { clientId })).toEqual(ACCEPTED);
    expect(await logIn(`urllist=${plain.url}`, otp, { clientId })).toEqual(REPLAYED);
  });

  it('is refused with an OTP of an unknown key and with a forged OTP', async () => {
    const imposter = new SoftYubikey({ publicId: plain.yubikey.publicId });
    expect(await logIn(`urllist=${plain.url}`, stranger.press())).toEqual(BAD_OTP);
    expect(await logIn(`urllist=${plain.url}`, imposter.press())).toEqual(BAD_OTP);
  });

  it('is refused without an OTP', async () => {
    expect(await logIn(`urllist=${plain.url}`, '')).toMatchObject(REFUSED);
  });

  it('fails with a wrong API key or an unknown client, without using up the OTP', async () => {
    const { clientId, apiKey } = plain;
    const otp = plain.yubikey.press();
    const url = `urllist=${plain.url}`;
    expect(await logIn(url, otp, { clientId, apiKey: OTHER_API_KEY })).toEqual(NOT_AUTHENTIC);
    expect(await logIn(url, otp, { clientId: '4711', apiKey })).toEqual(NOT_AUTHENTIC);
    expect(await logIn(url, otp, { clientId: '4711' })).toEqual(NO_SUCH_CLIENT);
    expect(await logIn(url, otp)).toEqual(ACCEPTED);
  });

  it('is accepted with several URLs if one of them cannot be reached', async () => {
    expect(await logIn(`urllist=${NOBODY};${plain.url}`, plain.yubikey.press())).toEqual(ACCEPTED);
    expect(await logIn(`urllist=${plain.url};${NOBODY}`, plain.yubikey.press())).toEqual(ACCEPTED);
  });

  it('is accepted with two URLs of one server, which get the same nonce', async () => {
    const twice = `urllist=${plain.url};${plain.url.replace('127.0.0.1', 'localhost')}`;
    for (let again = 0; again < 5; again++) {
      expect(await logIn(twice, plain.yubikey.press())).toEqual(ACCEPTED);
    }
  });

  it('accepts a URL template from before protocol 2.0', async () => {
    const template = `url=${plain.url}?id=%d&otp=%s`;
    const otp = plain.yubikey.press();
    expect(await logIn(template, otp)).toEqual(ACCEPTED);
    expect(await logIn(template, otp)).toEqual(REPLAYED);
  });

  it('accepts https: with the certificate of a trusted authority only', async () => {
    const otp = tls.yubikey.press();
    expect(await logIn(`urllist=${tls.url}`, otp, tls)).toEqual(NOT_REACHED);
    expect(await logIn(`urllist=${tls.url} cainfo=${tls.caFile}`, otp, tls)).toEqual(ACCEPTED);
  });
}
