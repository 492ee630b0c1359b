import { readFileSync } from 'node:fs';
import type { RequestListener, Server } from 'node:http';
import { createServer } from 'node:https';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { CloudVerifier, parseOtp } from '../../../src/index.js';
import {
  API_KEY,
  answer,
  type Behaviour,
  CLIENT_ID,
  httpStatus,
  startFakeServer,
} from '../../support/verifiers/cloud/fake-server.js';
import {
  catchError,
  closeAll,
  createVerifier,
  keep,
  NO_RETRY,
  OK,
  yubikey,
} from '../../support/verifiers/cloud/harness.js';

afterEach(closeAll);

const fixture = (name: string) =>
  fileURLToPath(new URL(`../../support/fixtures/tls/${name}`, import.meta.url));
const CA_FILE = fixture('ca.pem');

function startTlsServer(name: 'server' | 'other-host', behaviour: Behaviour) {
  const key = readFileSync(fixture(`${name}.key.pem`));
  const cert = readFileSync(fixture(`${name}.pem`));
  const create = (listener: RequestListener) => createServer({ key, cert }, listener) as unknown as Server;
  return startFakeServer(behaviour, { create, scheme: 'https' });
}

describe('TLS', () => {
  it('trusts a CA bundle, as a file or as PEM text', async () => {
    const server = await startTlsServer('server', answer('OK'));
    for (const ca of [CA_FILE, readFileSync(CA_FILE, 'utf8')]) {
      expect(await createVerifier([server.url], { ca }).verify(parseOtp(yubikey.press()))).toEqual(OK);
    }
  });

  it('authenticates answers without an API key, whose OTP and nonce are still checked', async () => {
    const honest = await startTlsServer('server', answer('OK'));
    const options = { clientId: CLIENT_ID, ca: CA_FILE, ...NO_RETRY };
    expect(
      await keep(new CloudVerifier({ ...options, servers: [honest.url] })).verify(parseOtp(yubikey.press())),
    ).toEqual(OK);
    const [request] = honest.requests;
    expect(request?.has('h')).toBe(false);

    const other = await startTlsServer('server', (query, res, req) => {
      query.set('nonce', 'f'.repeat(32));
      answer('OK')(query, res, req);
    });
    const error = await catchError(
      keep(new CloudVerifier({ ...options, servers: [other.url] })).verify(parseOtp(yubikey.press())),
    );
    expect(error.code).toBe('ANSWER_FORGED');
  });

  it('fails with TLS_FAILED and sends no request for an unknown authority', async () => {
    const server = await startTlsServer('server', answer('OK'));
    const error = await catchError(createVerifier([server.url], NO_RETRY).verify(parseOtp(yubikey.press())));
    expect(error).toMatchObject({ code: 'TLS_FAILED', status: 503 });
    expect(server.requests).toHaveLength(0);
  });

  it("fails with TLS_FAILED and sends no request for another host's certificate", async () => {
    const server = await startTlsServer('other-host', answer('OK'));
    const outcome = createVerifier([server.url], { ca: CA_FILE, ...NO_RETRY }).verify(
      parseOtp(yubikey.press()),
    );
    expect((await catchError(outcome)).code).toBe('TLS_FAILED');
    expect(server.requests).toHaveLength(0);
  });

  it('fails with TLS_FAILED for a server with plain HTTP at an https: URL', async () => {
    const server = await startFakeServer(answer('OK'));
    const verifier = createVerifier([server.url.replace('http:', 'https:')], {
      clientId: CLIENT_ID,
      apiKey: API_KEY,
      ...NO_RETRY,
    });
    expect((await catchError(verifier.verify(parseOtp(yubikey.press())))).code).toBe('TLS_FAILED');
  });

  it('does not follow a redirect from https: to http:', async () => {
    const plain = await startFakeServer(answer('OK'));
    const server = await startTlsServer('server', httpStatus(302, '', { location: plain.url }));
    const outcome = createVerifier([server.url], { ca: CA_FILE, ...NO_RETRY }).verify(
      parseOtp(yubikey.press()),
    );
    expect((await catchError(outcome)).code).toBe('REDIRECTED');
    expect(plain.requests).toHaveLength(0);
  });
});
