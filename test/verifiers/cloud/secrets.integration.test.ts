import { inspect } from 'node:util';
import { MockAgent } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { parseOtp } from '../../../src/index.js';
import { API_KEY, answerText, startFakeServer } from '../../support/verifiers/cloud/fake-server.js';
import {
  catchError,
  closeAll,
  createVerifier,
  NO_RETRY,
  yubikey,
} from '../../support/verifiers/cloud/harness.js';

afterEach(closeAll);

describe('secrets in errors', () => {
  it('the error does not contain an OTP from the info of a server', async () => {
    const key = parseOtp(yubikey.press());
    const server = await startFakeServer(
      (q, res) =>
        void res.end(answerText({ t: 'x', info: `bad otp ${q.get('otp')}`, status: 'MISSING_PARAMETER' })),
    );
    const e = await catchError(createVerifier([server.url], NO_RETRY).verify(key));
    expect(e.message).not.toContain(key.token);
  });
  it('the error does not contain an OTP that a server sends as a key', async () => {
    const key = parseOtp(yubikey.press());
    const server = await startFakeServer((q, res) => void res.end(`${q.get('otp')}=1\n${q.get('otp')}=1\n`));
    const e = await catchError(createVerifier([server.url], NO_RETRY).verify(key));
    expect(e.message).not.toContain(key.token);
  });
  it('the error does not contain an OTP that a dispatcher repeats', async () => {
    const agent = new MockAgent();
    agent.disableNetConnect();
    const key = parseOtp(yubikey.press());
    const e = await catchError(
      createVerifier(['https://validation.example/wsapi/2.0/verify'], {
        ...NO_RETRY,
        dispatcher: agent,
      }).verify(key),
    );
    await agent.close();
    expect(e.message).not.toContain(key.token);
  });
  it('the error does not repeat a private key as ca', () => {
    const pem = '-----BEGIN PRIVATE KEY-----\nMIIsecretsecret\n-----END PRIVATE KEY-----\n';
    let message = '';
    try {
      createVerifier(['https://x.example/'], { ca: pem });
    } catch (e) {
      message = String((e as Error).message);
    }
    expect(message).not.toContain('secretsecret');
  });
  it('inspect(verifier) does not show the API key', async () => {
    const v = createVerifier(['https://x.example/']);
    expect(inspect(v, { depth: 5 }).replaceAll(' ', '')).not.toContain(
      Buffer.from(API_KEY, 'base64').toString('hex').slice(0, 20),
    );
  });
  it('JSON of the verifier does not show the API key', async () => {
    const v = createVerifier(['https://x.example/']);
    expect(JSON.stringify({ ...v, transport: undefined })).not.toContain(
      [...Buffer.from(API_KEY, 'base64')].join(','),
    );
  });
});
