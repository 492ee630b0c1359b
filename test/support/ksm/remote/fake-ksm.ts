import type { IncomingMessage } from 'node:http';
import { text as readBody } from 'node:stream/consumers';
import { type Ksm, LocalKsm, MemoryStore, parseOtp, RemoteKsm } from '../../../../src/index.js';
import type { RemoteKsmOptions } from '../../../../src/ksm/remote/remote-ksm-settings.js';
import { formatKsmResponse, KSM_ERRORS } from '../../../../src/protocol/ksm-response.js';
import { KSM_REST_ERRORS, type KsmRestError } from '../../../../src/protocol/ksm-rest-response.js';
import { SoftYubikey } from '../../../../src/testing/index.js';
import {
  type Behaviour,
  closeFakeServers,
  endless,
  type FakeServer,
  hang,
  startFakeServer,
} from '../../verifiers/cloud/fake-server.js';

export type Protocol = RemoteKsmOptions['protocol'];

/** A key that the honest KSMs of these tests have. */
export const yubikey = new SoftYubikey();
const store = new MemoryStore();
await store.keys.add(yubikey);
export const local = new LocalKsm(store.keys);

const opened: RemoteKsm[] = [];

export async function closeAll(): Promise<void> {
  await Promise.all(opened.splice(0).map((ksm) => ksm.close()));
  await closeFakeServers();
}

/** A RemoteKsm that is closed after the test. */
export function remoteKsm(
  protocol: Protocol,
  urls: readonly string[],
  options: Partial<RemoteKsmOptions> = {},
): RemoteKsm {
  const ksm = new RemoteKsm({ protocol, urls, ...options });
  opened.push(ksm);
  return ksm;
}

export const startKsm = (behaviour: Behaviour): Promise<FakeServer> =>
  startFakeServer(behaviour, { path: '/' });

const neverEnds = (behaviour: Behaviour) => behaviour === hang || behaviour === endless;

/** The answer of a RemoteKsm for a fresh OTP at these servers. It waits only for a server whose answer never ends. */
export async function decryptAt(
  protocol: Protocol,
  behaviours: readonly Behaviour[],
  options: Partial<RemoteKsmOptions> = {},
  otp = parseOtp(yubikey.press()),
) {
  const servers = await Promise.all(behaviours.map(startKsm));
  const ksm = remoteKsm(
    protocol,
    servers.map(({ url }) => url),
    { timeout: behaviours.some(neverEnds) ? 2000 : 20_000, ...options },
  );
  return ksm.decrypt(otp);
}

/** Answers like yubikey-ksm. */
export const wsapi =
  (ksm: Ksm = local): Behaviour =>
  async (query, res) => {
    const decryption = await ksm.decrypt(parseOtp(query.get('otp') as string));
    res.end(formatKsmResponse(decryption.ok ? decryption : { ok: false, error: WORDS[decryption.reason] }));
  };

/** Answers like the REST reference server, and tells whether it compared the private ID. */
export const rest =
  (ksm: Ksm = local): Behaviour =>
  async (_query, res, req) => {
    const otp = parseOtp(await readSentOtp(req));
    const decryption = await ksm.decrypt(otp);
    if (!decryption.ok) return restError(CODES[decryption.reason])(_query, res, req);
    const { counters, capsLock, privateIdChecked } = decryption;
    res.end(
      JSON.stringify({
        status: 'OK',
        key_id: otp.publicId,
        counter: counters.usageCounter | (capsLock ? 0x8000 : 0),
        timestamp_low: counters.timestamp & 0xffff,
        timestamp_high: counters.timestamp >>> 16,
        session_use: counters.sessionUse,
        decrypted_at: new Date().toISOString(),
        private_id_checked: privateIdChecked,
      }),
    );
  };

export const restError =
  (error_code: KsmRestError): Behaviour =>
  (_query, res) =>
    void res
      .writeHead(KSM_REST_ERRORS[error_code][0])
      .end(JSON.stringify({ status: 'ERROR', error_code, message: 'in words' }));

export const wsapiError =
  (error: string): Behaviour =>
  (_query, res) =>
    void res.end(`ERR ${error}\n`);

/** Decrypts the OTP and then loses the answer. */
export const losing =
  (behaviour: Behaviour): Behaviour =>
  async (query, res, req) => {
    const socket = res.socket;
    res.end = (() => socket?.destroy()) as never;
    await behaviour(query, res, req);
  };

/** Decrypts each OTP once, like a KSM that refuses replays. Several servers may share the state. */
export function once(ksm: Ksm = local): Ksm {
  const seen = new Set<string>();
  return {
    decrypt: async (otp) => {
      const decryption = await ksm.decrypt(otp);
      if (!decryption.ok) return decryption;
      if (seen.has(otp.value)) return { ok: false, reason: 'REPLAYED_OTP' };
      seen.add(otp.value);
      return decryption;
    },
  };
}

/** The OTP of a REST request, which must match the documentation of the reference server. */
export async function readSentOtp(req: IncomingMessage): Promise<string> {
  if (req.method !== 'POST' || req.headers['content-type'] !== 'application/json')
    throw new Error('The request is not REST');
  return JSON.parse(await readBody(req)).otp;
}

const WORDS = {
  UNKNOWN_KEY: KSM_ERRORS.unknownKey,
  CORRUPT_OTP: KSM_ERRORS.corruptOtp,
  REPLAYED_OTP: KSM_ERRORS.replayedOtp,
} as const;

const CODES = {
  UNKNOWN_KEY: 'KEY_NOT_FOUND',
  CORRUPT_OTP: 'DECRYPTION_FAILED',
  REPLAYED_OTP: 'REPLAY_DETECTED',
} as const;
