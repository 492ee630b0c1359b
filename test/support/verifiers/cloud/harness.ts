import { expect } from 'vitest';
import { CloudVerifier, type CloudVerifierOptions, parseOtp, YubikeyError } from '../../../../src/index.js';
import { SoftYubikey } from '../../../../src/testing/index.js';
import { API_KEY, type Behaviour, CLIENT_ID, closeFakeServers, startFakeServer } from './fake-server.js';

const verifiers: CloudVerifier[] = [];
export const yubikey = new SoftYubikey();

export const OK = { ok: true, identity: { publicId: yubikey.publicId } };
export const NO_RETRY = { retries: 0, timeout: 2000 };

export async function closeAll(): Promise<void> {
  await Promise.all(verifiers.splice(0).map((verifier) => verifier.close()));
  await closeFakeServers();
}

export function createVerifier(
  servers: string[],
  options: Partial<CloudVerifierOptions> = {},
): CloudVerifier {
  return keep(new CloudVerifier({ clientId: CLIENT_ID, apiKey: API_KEY, servers, ...options }));
}

/** Closes the verifier after the test. */
export function keep(verifier: CloudVerifier): CloudVerifier {
  verifiers.push(verifier);
  return verifier;
}

export async function startAll(...behaviours: Behaviour[]) {
  return Promise.all(behaviours.map((behaviour) => startFakeServer(behaviour)));
}

export async function verifyAt(behaviours: Behaviour[], options: Partial<CloudVerifierOptions> = {}) {
  const servers = await startAll(...behaviours);
  const verifier = createVerifier(
    servers.map(({ url }) => url),
    options,
  );
  return verifier.verify(parseOtp(yubikey.press()));
}

export async function catchError(outcome: Promise<unknown>): Promise<YubikeyError> {
  const error = await outcome.then(
    (verdict) => expect.unreachable(`a verdict: ${JSON.stringify(verdict)}`),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(YubikeyError);
  return error as YubikeyError;
}

export function faultAt(behaviours: Behaviour[], options: Partial<CloudVerifierOptions> = {}) {
  return catchError(verifyAt(behaviours, options));
}
