import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { LocalKsm } from '../../../src/ksm/local-ksm.js';
import { parseOtp } from '../../../src/otp/otp.js';
import {
  type KeyRecord,
  Keyring,
  type KeyStore,
  MemoryStore,
  type NewKey,
  newMasterKey,
  SealedClientStore,
  SealedKeyStore,
} from '../../../src/stores/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import { KsmVerifier } from '../../../src/verifiers/ksm-verifier.js';
import { around } from '../../support/stores/around.js';

const masters = { a: newMasterKey(), b: newMasterKey() };
const newKeyring = (...ids: ('a' | 'b')[]) =>
  new Keyring({ keys: Object.fromEntries(ids.map((id) => [id, masters[id]])), current: ids[0] as string });

/** A store with one key in it, sealed with master key a. */
async function sealedKey(changes: Partial<NewKey> = {}) {
  const { keys: engine, counters } = new MemoryStore();
  const sealed = new SealedKeyStore(engine, newKeyring('a'));
  const yubikey = new SoftYubikey();
  const { publicId, aesKey, privateId } = yubikey;
  await sealed.add({ publicId, aesKey, privateId, ...changes });
  return { engine, sealed, yubikey, publicId, counters };
}

const existing = async (store: KeyStore, publicId: string) => (await store.get(publicId)) as KeyRecord;

/** The engine, except that its row holds other bytes: an attacker with write access can do that. */
const holding = (engine: KeyStore, record: KeyRecord, aesKey: Uint8Array): KeyStore =>
  around(engine, { get: async () => ({ ...record, aesKey }) });

describe('SealedKeyStore', () => {
  it('passes secrets to its engine only sealed, even if the private ID is stored later', async () => {
    const { engine, sealed, yubikey, publicId } = await sealedKey({ privateId: undefined });
    expect(await sealed.replace(await existing(sealed, publicId), { privateId: yubikey.privateId })).toBe(
      true,
    );
    expect(await existing(sealed, publicId)).toMatchObject({ privateId: Buffer.from(yubikey.privateId) });
    const inner = await existing(engine, publicId);
    expect(inner.privateId).toBeUndefined();
    for (const secret of [yubikey.aesKey, yubikey.privateId].map((it) => Buffer.from(it))) {
      expect(Buffer.from(inner.aesKey).includes(secret)).toBe(false);
    }
  });

  it('passes no plain secret to its engine in the record to compare with', async () => {
    const { engine, yubikey, publicId } = await sealedKey({ privateId: undefined });
    const handed: object[] = [];
    const watched = around(engine, {
      replace: (...args) => {
        handed.push(...args);
        return engine.replace(...args);
      },
    });
    const sealed = new SealedKeyStore(watched, newKeyring('b', 'a'));
    await sealed.replace(await existing(sealed, publicId), { privateId: yubikey.privateId });
    await sealed.replace(await existing(sealed, publicId), { notes: 'n' });
    await new SealedKeyStore(watched, newKeyring('a', 'b')).reseal();
    expect(handed).toHaveLength(6);
    const bytes = handed.flatMap((record) => Object.values(record)).filter((it) => it instanceof Uint8Array);
    expect(bytes.length).toBeGreaterThanOrEqual(6);
    for (const secret of [yubikey.aesKey, yubikey.privateId].map((it) => Buffer.from(it))) {
      for (const value of bytes) expect(Buffer.from(value).includes(secret)).toBe(false);
    }
  });

  it('returns the AES key alone if there is no private ID', async () => {
    const { sealed, yubikey, publicId } = await sealedKey({ privateId: undefined });
    expect(await existing(sealed, publicId)).toMatchObject({
      aesKey: Buffer.from(yubikey.aesKey),
      privateId: undefined,
    });
  });

  it('seals the same secret into different bytes each time', async () => {
    const yubikey = new SoftYubikey({ publicId: 'cc' });
    const blobs = [];
    for (let n = 0; n < 2; n++) {
      const { keys } = new MemoryStore();
      await new SealedKeyStore(keys, newKeyring('a')).add(yubikey);
      blobs.push((await existing(keys, 'cc')).aesKey);
    }
    expect(blobs[0]).not.toEqual(blobs[1]);
  });

  it('refuses a key sealed with another master key of the same id', async () => {
    const { engine, publicId } = await sealedKey();
    const other = new SealedKeyStore(engine, new Keyring({ keys: { a: newMasterKey() }, current: 'a' }));
    await expect(other.get(publicId)).rejects.toMatchObject({ code: 'SEAL_BROKEN' });
    await expect(other.list()).rejects.toMatchObject({ code: 'SEAL_BROKEN' });
  });

  it('rejects with a code of its own if the master key is missing', async () => {
    const { engine, publicId } = await sealedKey();
    const other = new SealedKeyStore(engine, newKeyring('b'));
    await expect(other.get(publicId)).rejects.toMatchObject({ code: 'MASTER_KEY_UNKNOWN' });
    await expect(other.reseal()).rejects.toMatchObject({ code: 'MASTER_KEY_UNKNOWN' });
  });

  it('refuses a key that was stored unsealed', async () => {
    const { keys } = new MemoryStore();
    await keys.add(new SoftYubikey({ publicId: 'cc' }));
    const sealed = new SealedKeyStore(keys, newKeyring('a'));
    await expect(sealed.get('cc')).rejects.toMatchObject({ code: 'SEAL_BROKEN' });
    await expect(sealed.reseal()).rejects.toMatchObject({ code: 'SEAL_BROKEN' });
  });

  it('refuses the sealed secrets of another key or of a client', async () => {
    const { engine, sealed, publicId } = await sealedKey();
    await sealed.add(new SoftYubikey({ publicId: 'cc' }));
    const { clients } = new MemoryStore();
    await new SealedClientStore(clients, newKeyring('a')).add({ id: '87', apiKey: Buffer.alloc(20, 7) });
    const own = await existing(engine, publicId);
    const others = [(await existing(engine, 'cc')).aesKey, (await clients.get('87'))?.apiKey as Uint8Array];
    for (const blob of others) {
      const swapped = new SealedKeyStore(holding(engine, own, blob), newKeyring('a'));
      await expect(swapped.get(publicId)).rejects.toMatchObject({ code: 'SEAL_BROKEN' });
    }
  });

  it('shows no secret in console.log or JSON, and neither do the KSM and the verifier that use it', async () => {
    const { engine, sealed, yubikey } = await sealedKey();
    const memory = new MemoryStore();
    await memory.keys.add(yubikey);
    await memory.clients.add({ id: '87', apiKey: yubikey.aesKey });
    const ksm = new LocalKsm(sealed);
    const verifier = new KsmVerifier({ ksm, counters: memory.counters });
    const secrets = [yubikey.aesKey, yubikey.privateId, masters.a].map((secret) => Buffer.from(secret));
    for (const value of [engine, sealed, memory, ksm, new LocalKsm(memory.keys), verifier]) {
      const text = inspect(value, { depth: 20, showHidden: true }) + JSON.stringify(value);
      for (const secret of secrets) {
        for (const form of ['hex', 'base64'] as const) expect(text).not.toContain(secret.toString(form));
        expect(text).not.toContain([...secret.subarray(0, 4)].join(', '));
        expect(text).not.toContain(inspect(secret).slice(8, 19));
      }
    }
  });
});

describe('LocalKsm with a SealedKeyStore', () => {
  /** The outcome of verifying an OTP of the key if its row holds `blob`. */
  async function outcomeWith(blob: Uint8Array, { engine, yubikey, publicId, counters }: Sealed) {
    const keys = new SealedKeyStore(holding(engine, await existing(engine, publicId), blob), newKeyring('a'));
    const verifier = new KsmVerifier({ ksm: new LocalKsm(keys), counters });
    return verifier.verify(parseOtp(yubikey.press())).then(
      (verdict) => JSON.stringify(verdict),
      (error) => error.code,
    );
  }
  type Sealed = Awaited<ReturnType<typeof sealedKey>>;

  it('accepts an OTP of a key whose sealed secrets are unchanged', async () => {
    const sealed = await sealedKey();
    const { aesKey } = await existing(sealed.engine, sealed.publicId);
    expect(await outcomeWith(aesKey, sealed)).toContain('"ok":true');
  });

  it('rejects, without a verdict, whichever bit of the sealed key was flipped', async () => {
    const sealed = await sealedKey();
    const { aesKey } = await existing(sealed.engine, sealed.publicId);
    for (let bit = 0; bit < 8 * aesKey.length; bit++) {
      const flipped = Buffer.from(aesKey);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(await outcomeWith(flipped, sealed), `bit ${bit}`).toMatch(/^(SEAL_BROKEN|MASTER_KEY_UNKNOWN)$/);
    }
    expect(await sealed.counters.get(sealed.publicId)).toBeUndefined();
  });

  it('rejects, without a verdict, wherever the sealed key was cut off', async () => {
    const sealed = await sealedKey();
    const { aesKey } = await existing(sealed.engine, sealed.publicId);
    for (let length = 0; length < aesKey.length; length++) {
      expect(await outcomeWith(aesKey.subarray(0, length), sealed), `${length} bytes`).toBe('SEAL_BROKEN');
    }
  });

  it('rejects, without a verdict, if a plain AES key was put in its place', async () => {
    const sealed = await sealedKey();
    expect(await outcomeWith(sealed.yubikey.aesKey, sealed)).toBe('SEAL_BROKEN');
  });
});
