import { afterEach, describe, expect, it } from 'vitest';
import {
  CloudVerifier,
  type CloudVerifierOptions,
  type Ksm,
  KsmVerifier,
  LocalKsm,
  MemoryStore,
  type Otp,
  parseOtp,
  RemoteKsm,
  type Verifier,
} from '../src/index.js';
import { decodeModhex } from '../src/otp/modhex.js';
import { SoftYubikey } from '../src/testing/index.js';
import { type Recording, record } from './support/diagnostics.js';
import { findShownSecrets } from './support/shown-secrets.js';
import {
  API_KEY,
  answer,
  answerFields,
  answerText,
  type Behaviour,
  CLIENT_ID,
  closeFakeServers,
  httpStatus,
  startFakeServer,
} from './support/verifiers/cloud/fake-server.js';

const yubikey = new SoftYubikey();
const store = new MemoryStore();
await store.keys.add(yubikey);
const localKsm = new LocalKsm(store.keys);

const otp = parseOtp(yubikey.press());
const nonce = 'c0ffee00c0ffee11c0ffee22c0ffee33';
const SECRETS = {
  aesKey: yubikey.aesKey,
  privateId: yubikey.privateId,
  apiKey: Buffer.from(API_KEY, 'base64'),
  token: decodeModhex(otp.token) as Uint8Array,
  nonce: Buffer.from(nonce, 'hex'),
};

/** What an attacker or a careless driver could repeat. */
const everything = () => ({
  otp,
  nonce,
  apiKey: API_KEY,
  key: yubikey.toJSON(),
  command: ['ADVANCE', nonce, otp.value],
});
const careless = () => Object.assign(new Error(JSON.stringify(everything())), everything());

/** Repeats the request in its answer, in several ways. */
const repeatIn =
  (status: string, repeat: (url: string, query: URLSearchParams) => string): Behaviour =>
  (query, res, req) => {
    const fields = { ...answerFields(query, status), info: repeat(req.url as string, query) };
    res.end(answerText(fields));
  };

afterEach(closeFakeServers);

async function openCloud(
  behaviour: Behaviour,
  options: Partial<CloudVerifierOptions> = {},
): Promise<Verifier> {
  const { url } = await startFakeServer(behaviour);
  return new CloudVerifier({ clientId: CLIENT_ID, apiKey: API_KEY, servers: [url], retries: 0, ...options });
}

async function openRemote(protocol: 'rest' | 'wsapi', behaviour: Behaviour): Promise<Verifier> {
  const { url } = await startFakeServer(behaviour, { path: '/' });
  return new KsmVerifier({
    ksm: new RemoteKsm({ urls: [url], protocol }),
    counters: new MemoryStore().counters,
  });
}

const openLocal = (
  ksm: Ksm = localKsm,
  counters: Pick<MemoryStore['counters'], 'advance'> = store.counters,
) => new KsmVerifier({ ksm, counters });
const failing = () => Promise.reject(careless());

const VERIFIERS: [string, () => Verifier | Promise<Verifier>][] = [
  ['a KsmVerifier', openLocal],
  ['a KsmVerifier whose store repeats the command', () => openLocal(localKsm, { advance: failing })],
  ['a KsmVerifier whose KSM repeats the OTP', () => openLocal({ decrypt: failing })],
  ['a KsmVerifier whose key store fails', () => openLocal(new LocalKsm({ get: failing }))],
  ['a CloudVerifier', () => openCloud(answer('OK'))],
  ['a CloudVerifier that is refused', () => openCloud(answer('BAD_OTP'))],
  ['a CloudVerifier whose server fails', () => openCloud(httpStatus(500, otp.value))],
  [
    'a CloudVerifier whose server repeats the OTP',
    () => openCloud(repeatIn('BACKEND_ERROR', (_, query) => query.get('otp') as string)),
  ],
  [
    'a CloudVerifier whose server repeats the OTP in capitals',
    () => openCloud(repeatIn('NO_SUCH_CLIENT', (_, query) => (query.get('otp') as string).toUpperCase())),
  ],
  ['a CloudVerifier whose server repeats the nonce', () => openCloud(repeatIn('BACKEND_ERROR', () => nonce))],
  [
    'a CloudVerifier whose server repeats the request',
    () => openCloud(repeatIn('BACKEND_ERROR', (url) => url)),
  ],
  [
    'a CloudVerifier whose dispatcher repeats the request',
    () =>
      openCloud(answer('OK'), {
        dispatcher: {
          dispatch({ path }: { path: string }) {
            throw new Error(`failed: ${path}`);
          },
        } as never,
      }),
  ],
  ['a RemoteKsm', () => openRemote('wsapi', (_, res) => void res.end('ERR Unknown yubikey\n'))],
  [
    'a RemoteKsm that repeats the OTP',
    () => openRemote('wsapi', (_, res) => void res.end(`ERR ${otp.value}\n`)),
  ],
  ['a RemoteKsm with rest that repeats the OTP', () => openRemote('rest', httpStatus(500, otp.value))],
];

describe('no message has a secret, an OTP or a nonce', () => {
  const expectNoSecret = (recording: Recording) => {
    expect(recording.messages).not.toEqual([]);
    expect(findShownSecrets(recording.messages, SECRETS)).toEqual([]);
  };

  it.each(VERIFIERS)('of %s', async (_, open) => {
    const verifier = await open();
    const recording = record();
    await verifier.verify(otp, { nonce }).catch(() => undefined);
    await verifier.verify(otp, { nonce }).catch(() => undefined);
    const aborted = AbortSignal.abort(careless());
    await expect(verifier.verify(otp, { nonce, signal: aborted })).rejects.toMatchObject({ code: 'ABORTED' });
    expect(recording.verifications).toHaveLength(3);
    expectNoSecret(recording);
  });

  it.each<[string, unknown, unknown]>([
    ['the text of an OTP instead of the OTP', otp.value, {}],
    ['an OTP whose public ID is the whole', { ...otp, publicId: otp.value }, {}],
    ['an OTP as the nonce', otp, { nonce: otp.value + otp.value }],
    ['an unknown option', otp, { nonce, apiKey: API_KEY }],
    ['an OTP as the signal', otp, { signal: otp.value }],
  ])('of malformed arguments: %s', async (_, argument, options) => {
    const recording = record();
    for (const verifier of [openLocal(), await openCloud(answer('OK'))]) {
      await expect(verifier.verify(argument as Otp, options as never)).rejects.toThrow(TypeError);
    }
    expectNoSecret(recording);
  });

  it('which would be found', () => {
    expect(findShownSecrets([everything()], SECRETS)).toEqual(Object.keys(SECRETS));
    expect(findShownSecrets([new Error('failed', { cause: careless() })], SECRETS)).toEqual(
      Object.keys(SECRETS),
    );
  });
});
