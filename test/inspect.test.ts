import { inspect } from 'node:util';
import type { Dispatcher } from 'undici';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  CloudVerifier,
  KsmVerifier,
  LocalKsm,
  type Lookup,
  MemoryStore,
  parseAesKey,
  parseOtp,
  RemoteKsm,
  type Verifier,
  YubikeyError,
  type YubikeyIdentity,
  YubikeyStrategy,
} from '../src/index.js';
import { encodeModhex } from '../src/otp/modhex.js';
import { ksmListener, validationListener } from '../src/server/index.js';
import { CachedKeyStore, Keyring, SealedClientStore, SealedKeyStore } from '../src/stores/index.js';
import { SoftYubikey } from '../src/testing/index.js';
import { findShownSecrets } from './support/shown-secrets.js';

/** Printable in latin1, so that `inspect` shows them as they are. */
const SECRETS = {
  aesKey: Buffer.from('c0c1c2c3c4c5c6c7c8c9cacbcccdcecf', 'hex'),
  privateId: Buffer.from('d0d1d2d3d4d5', 'hex'),
  apiKey: Buffer.from('e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3', 'hex'),
  masterKey: Buffer.from('a1a2a3a4a5a6a7a8'.repeat(4), 'hex'),
};
const { aesKey, privateId } = SECRETS;
const API_KEY = SECRETS.apiKey.toString('base64');

const findShown = (value: unknown) => findShownSecrets(value, SECRETS);

/** Keeps what it is given to send, and never answers. */
class SilentDispatcher {
  readonly sent: unknown[] = [];

  dispatch(...request: unknown[]): boolean {
    this.sent.push(request);
    return true;
  }
}

const cloudOptions = { clientId: 1, apiKey: API_KEY, servers: ['https://validation.example/verify'] };
const remoteOptions = { urls: ['https://ksm.example/'], protocol: 'rest' } as const;
const lookup: Lookup<[YubikeyIdentity]> = ({ publicId }) => ({ id: publicId });

const store = new MemoryStore();
const yubikey = new SoftYubikey({ aesKey, privateId });
const localKsm = new LocalKsm(store.keys);
const ksmVerifier = new KsmVerifier({ ksm: localKsm, counters: store.counters });
const cloudVerifier = new CloudVerifier(cloudOptions);
const remoteKsm = new RemoteKsm(remoteOptions);

beforeAll(async () => {
  await store.keys.add(yubikey);
});

const press = () => parseOtp(yubikey.press());

/** What a call rejects with or throws. */
async function catchFrom(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  return expect.unreachable('It did not fail');
}

describe('findShown', () => {
  it.each<[string, unknown]>([
    ['a Buffer', { aesKey }],
    ['a Uint8Array', { aesKey: Uint8Array.from(aesKey) }],
    ['an ArrayBuffer', Uint8Array.from(aesKey).buffer],
    ['a list of bytes', [...aesKey]],
    ['hexadecimal text', aesKey.toString('hex')],
    ['base64', aesKey.toString('base64')],
    ['latin1', aesKey.toString('latin1')],
    ['modhex', encodeModhex(aesKey)],
    ['the cause of an error', new Error('failed', { cause: { aesKey } })],
    ['a property of a property', { a: { b: { c: { d: { e: new Map([[1, { aesKey }]]) } } } } }],
    ['a hidden property', Object.defineProperty({}, 'aesKey', { value: aesKey, enumerable: false })],
  ])('finds a secret in %s', (_where, value) => {
    expect(findShown(value)).toEqual(['aesKey']);
  });
});

describe('util.inspect shows no secret of', () => {
  it.each<[string, unknown]>([
    ['a CloudVerifier', cloudVerifier],
    ['a RemoteKsm', remoteKsm],
    ['a SoftYubikey', yubikey],
    ['a SoftYubikey in other objects', [{ yubikey }]],
  ])('%s', (_what, value) => {
    expect(findShown(value)).toEqual([]);
  });

  it('a SoftYubikey, but its public ID and counters', () => {
    const shown = inspect(yubikey);
    expect(shown).toContain('SoftYubikey');
    expect(shown).toContain(yubikey.publicId);
    expect(shown).toContain('usageCounter');
  });

  it('a LocalKsm that has decrypted an OTP, and what it says of it', async () => {
    const decryption = await localKsm.decrypt(press());
    expect(decryption.ok).toBe(true);
    expect(findShown([localKsm, decryption])).toEqual([]);
  });

  it('a KsmVerifier that has verified an OTP, and its verdicts', async () => {
    const otp = press();
    const verdicts = [await ksmVerifier.verify(otp), await ksmVerifier.verify(otp)];
    expect(verdicts).toMatchObject([{ ok: true }, { ok: false }]);
    expect(findShown([ksmVerifier, verdicts])).toEqual([]);
  });

  it('a CloudVerifier that waits for an answer, and of what it sends', async () => {
    const dispatcher = new SilentDispatcher();
    const verifier = new CloudVerifier({
      ...cloudOptions,
      dispatcher: dispatcher as unknown as Dispatcher,
    });
    const verdict = verifier.verify(press());
    await expect.poll(() => dispatcher.sent).toHaveLength(1);
    expect(findShown([verifier, verdict, dispatcher])).toEqual([]);
    await verifier.close();
    expect(findShown([verifier, await catchFrom(() => verdict)])).toEqual([]);
  });

  it('stores and a Keyring, and of listeners over them', async () => {
    const keyring = new Keyring({ keys: { a: SECRETS.masterKey }, current: 'a' });
    const keys = new CachedKeyStore(new SealedKeyStore(new MemoryStore().keys, keyring));
    await keys.add(yubikey);
    expect((await keys.get(yubikey.publicId))?.aesKey).toEqual(aesKey);
    const clients = new SealedClientStore(store.clients, keyring);
    await clients.add({ id: '1', apiKey: SECRETS.apiKey });
    const listeners = [
      ksmListener({ keys, counters: store.counters }),
      validationListener({ verifier: ksmVerifier, clients }),
    ];
    expect(findShown([store, keyring, keys, clients, listeners])).toEqual([]);
  });

  it.each<[string, Verifier]>([
    ['CloudVerifier', cloudVerifier],
    ['KsmVerifier', ksmVerifier],
    ['KsmVerifier over a RemoteKsm', new KsmVerifier({ ksm: remoteKsm, counters: store.counters })],
  ])('a YubikeyStrategy with a %s', (_what, verifier) => {
    expect(findShown(new YubikeyStrategy({ verifier }, lookup))).toEqual([]);
    expect(findShown(new YubikeyStrategy({ verifier, secondFactor: true }, lookup))).toEqual([]);
  });
});

describe('util.inspect shows no secret in an error', () => {
  const failing = { get: () => Promise.reject(new Error('no database')) };
  const unusable = (record: object) => ({
    get: async () => ({ publicId: yubikey.publicId, active: true, ...record }) as never,
  });
  const counters = { advance: () => Promise.reject(new Error('no database')) };
  const verifyWith = (keys: ConstructorParameters<typeof LocalKsm>[0]) =>
    new KsmVerifier({ ksm: new LocalKsm(keys), counters: store.counters }).verify(press());

  it.each<[string, () => unknown, typeof YubikeyError | typeof TypeError]>([
    ['of a key store that failed', () => verifyWith(failing), YubikeyError],
    [
      'of a counter store that failed',
      () => new KsmVerifier({ ksm: localKsm, counters }).verify(press()),
      YubikeyError,
    ],
    [
      'of an AES key that is too long',
      () => verifyWith(unusable({ aesKey: Buffer.concat([aesKey, aesKey]), privateId })),
      YubikeyError,
    ],
    [
      'of a private ID that is too long',
      () => verifyWith(unusable({ aesKey, privateId: Buffer.concat([privateId, privateId]) })),
      YubikeyError,
    ],
    ['of a key without its private ID', () => verifyWith(unusable({ aesKey })), YubikeyError],
    ['of an AES key that does not parse', () => parseAesKey(`${aesKey.toString('hex')}00`), TypeError],
    [
      'of an API key without its padding',
      () => new CloudVerifier({ clientId: 1, apiKey: API_KEY.replace('=', '') }),
      TypeError,
    ],
    [
      'of a SoftYubikey with an AES key that is too long',
      () => new SoftYubikey({ aesKey: `${aesKey.toString('hex')}00` }),
      TypeError,
    ],
  ])('%s', async (_what, call, type) => {
    const error = await catchFrom(call);
    expect(error).toBeInstanceOf(type);
    expect(findShown(error)).toEqual([]);
  });
});
