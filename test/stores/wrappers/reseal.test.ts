import { describe, expect, it } from 'vitest';
import type { YubikeyError } from '../../../src/errors.js';
import {
  type KeyRecord,
  Keyring,
  type KeyStore,
  MemoryStore,
  newMasterKey,
  type ResealProgress,
  SealedClientStore,
  SealedKeyStore,
} from '../../../src/stores/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import { around } from '../../support/stores/around.js';

const [a, b] = [newMasterKey(), newMasterKey()];
const onlyA = new Keyring({ keys: { a }, current: 'a' });
const fromA = new Keyring({ keys: { a, b }, current: 'b' });
const onlyB = new Keyring({ keys: { b }, current: 'b' });

const numberedId = (n: number) =>
  `c${[...n.toString(16)].map((digit) => 'cbdefghijklnrtuv'[Number.parseInt(digit, 16)]).join('')}`;

async function sealedWithA(count: number): Promise<{ engine: KeyStore; yubikeys: SoftYubikey[] }> {
  const engine = new MemoryStore().keys;
  const yubikeys = Array.from({ length: count }, (_, n) => new SoftYubikey({ publicId: numberedId(n) }));
  const sealed = new SealedKeyStore(engine, onlyA);
  for (const yubikey of yubikeys) await sealed.add({ ...yubikey, notes: yubikey.publicId, active: true });
  return { engine, yubikeys };
}

/** The engine, with an interruption just before its first compare-and-swap. */
function interruptedBy(engine: KeyStore, interruption: () => Promise<unknown>): KeyStore {
  let swaps = 0;
  return around(engine, {
    replace: async (...args) => {
      if (swaps++ === 0) await interruption();
      return engine.replace(...args);
    },
  });
}

describe('reseal()', () => {
  it('reseals every key, changes nothing else, and reports its progress', async () => {
    const { engine, yubikeys } = await sealedWithA(1201);
    const before = (await new SealedKeyStore(engine, onlyA).list({ limit: 2000 })).records;
    const progress: ResealProgress[] = [];
    const result = await new SealedKeyStore(engine, fromA).reseal((at) => progress.push(at));
    expect(result).toEqual({ checked: yubikeys.length, resealed: yubikeys.length });
    expect(progress).toEqual([500, 1000, 1201].map((n) => ({ checked: n, resealed: n })));
    const after = (await new SealedKeyStore(engine, onlyB).list({ limit: 2000 })).records;
    const withoutRevision = ({ revision: _, ...rest }: KeyRecord) => rest;
    expect(after.map(withoutRevision)).toEqual(before.map(withoutRevision));
    await expect(new SealedKeyStore(engine, onlyA).get(numberedId(7))).rejects.toMatchObject({
      code: 'MASTER_KEY_UNKNOWN',
    });
  });

  it('leaves records alone that the current master key sealed', async () => {
    const { engine } = await sealedWithA(3);
    const sealed = new SealedKeyStore(engine, fromA);
    await sealed.reseal();
    const before = await engine.list();
    expect(await sealed.reseal()).toEqual({ checked: 3, resealed: 0 });
    expect(await engine.list()).toEqual(before);
  });

  it('continues after an interruption', async () => {
    const { engine } = await sealedWithA(20);
    let left = 8;
    const failing = around(engine, {
      replace: async (...args) => {
        if (left-- === 0) throw new Error('the database went away');
        return engine.replace(...args);
      },
    });
    await expect(new SealedKeyStore(failing, fromA).reseal()).rejects.toThrow('went away');
    expect(await new SealedKeyStore(engine, fromA).reseal()).toEqual({ checked: 20, resealed: 12 });
    expect((await new SealedKeyStore(engine, onlyB).list()).records).toHaveLength(20);
  });

  it('goes on past records that do not open, then names the first ten of them and what to do', async () => {
    const { engine, yubikeys } = await sealedWithA(40);
    const ids = yubikeys.map(({ publicId }) => publicId).sort();
    const broken = ids.filter((_, n) => n % 3 === 0);
    for (const id of broken) {
      await engine.replace((await engine.get(id)) as KeyRecord, { aesKey: Buffer.alloc(16) });
    }
    const progress: ResealProgress[] = [];
    const failed = new SealedKeyStore(engine, fromA).reseal((at) => progress.push(at));
    const error = await failed.then(
      () => expect.fail('resolved'),
      (reason: YubikeyError) => reason,
    );
    expect(error).toMatchObject({ code: 'SEAL_BROKEN', cause: { code: 'SEAL_BROKEN' } });
    expect(error.message).toContain(
      `Not resealed: yubikey ${broken.slice(0, 10).join(', ')} and 4 more (14 in all)`,
    );
    expect(error.message).toMatch(
      /Restore damaged records from a backup.*old master key.*Delete only damaged/,
    );
    expect(progress).toEqual([{ checked: 40, resealed: 26 }]);
    for (const id of broken) await engine.delete(id);
    expect((await new SealedKeyStore(engine, onlyB).list()).records).toHaveLength(26);
  });

  it('asks for the old master key if no record opens, since another one may have its id', async () => {
    const { engine } = await sealedWithA(2);
    const other = new Keyring({ keys: { a: newMasterKey(), b }, current: 'b' });
    await expect(new SealedKeyStore(engine, other).reseal()).rejects.toMatchObject({
      code: 'SEAL_BROKEN',
      message: expect.stringMatching(
        /^(?!.*delete).*another master key.*add the old master key.*in its place/,
      ),
    });
  });

  it('asks for the missing master key, and reseals the records that the others open', async () => {
    const { engine } = await sealedWithA(2);
    await new SealedKeyStore(engine, onlyB).add({ publicId: '', aesKey: Buffer.alloc(16) });
    const c = newMasterKey();
    const toC = new SealedKeyStore(engine, new Keyring({ keys: { b, c }, current: 'c' }));
    await expect(toC.reseal()).rejects.toMatchObject({
      code: 'MASTER_KEY_UNKNOWN',
      message: expect.stringMatching(/: yubikey cb, cc \(2 in all\)\. .* is sealed with master key a/),
    });
    expect(await toC.get('')).toMatchObject({ aesKey: Buffer.alloc(16) });
    await expect(toC.reseal()).rejects.toMatchObject({
      message: expect.not.stringMatching(/delete|damaged/),
    });
    const complete = new Keyring({ keys: { a, b, c }, current: 'c' });
    expect(await new SealedKeyStore(engine, complete).reseal()).toEqual({ checked: 3, resealed: 2 });
  });

  it('rejects at once if the database fails', async () => {
    const { engine } = await sealedWithA(3);
    let tries = 0;
    const failing = around(engine, {
      replace: async () => {
        tries++;
        throw new Error('the database went away');
      },
    });
    await expect(new SealedKeyStore(failing, fromA).reseal()).rejects.toThrow('went away');
    expect(tries).toBe(1);
  });

  it('may run twice at once: every key is resealed once', async () => {
    const { engine } = await sealedWithA(50);
    const results = await Promise.all([1, 2].map(() => new SealedKeyStore(engine, fromA).reseal()));
    expect(results.reduce((sum, { resealed }) => sum + resealed, 0)).toBe(50);
    expect((await new SealedKeyStore(engine, onlyB).list()).records).toHaveLength(50);
  });

  it('reseals clients too', async () => {
    const { clients } = new MemoryStore();
    await new SealedClientStore(clients, onlyA).add({ id: '87', apiKey: Buffer.alloc(20, 7) });
    expect(await new SealedClientStore(clients, fromA).reseal()).toEqual({ checked: 1, resealed: 1 });
    expect(await new SealedClientStore(clients, onlyB).get('87')).toMatchObject({
      apiKey: Buffer.alloc(20, 7),
    });
  });

  describe('at the same time as', () => {
    async function resealDuring(
      interruption: (store: SealedKeyStore, key: KeyRecord, yubikey: SoftYubikey) => Promise<unknown>,
    ) {
      const { engine, yubikeys } = await sealedWithA(1);
      const yubikey = yubikeys[0] as SoftYubikey;
      const other = new SealedKeyStore(engine, onlyA);
      const key = (await other.get(yubikey.publicId)) as KeyRecord;
      let interruptions = 0;
      const interrupted = interruptedBy(engine, () => {
        interruptions++;
        return interruption(other, key, yubikey);
      });
      const result = await new SealedKeyStore(interrupted, fromA).reseal();
      expect(interruptions).toBe(1);
      return { result, yubikey, after: await new SealedKeyStore(engine, onlyB).get(yubikey.publicId) };
    }

    it('a pinned private ID keeps the pin', async () => {
      const pinned = Buffer.from('pinned');
      const { result, after } = await resealDuring((store, key) => store.replace(key, { privateId: pinned }));
      expect(after).toMatchObject({ privateId: pinned });
      expect(result).toEqual({ checked: 1, resealed: 1 });
    });

    it('the disabling of a key keeps it disabled', async () => {
      const { after, yubikey } = await resealDuring((store, key) => store.replace(key, { active: false }));
      expect(after).toMatchObject({ active: false, aesKey: Buffer.from(yubikey.aesKey) });
    });

    it('a deletion leaves the key deleted', async () => {
      const { result, after } = await resealDuring((store, { publicId }) => store.delete(publicId));
      expect(after).toBeUndefined();
      expect(result).toEqual({ checked: 1, resealed: 0 });
    });

    it('a deletion and a new key of the same public ID keeps the new one', async () => {
      const aesKey = Buffer.alloc(16, 9);
      const { after } = await resealDuring(async (store, { publicId }) => {
        await store.delete(publicId);
        await store.add({ publicId, aesKey });
      });
      expect(after).toMatchObject({ aesKey, privateId: undefined, notes: '' });
    });

    it('another reseal that is faster counts the record there', async () => {
      const { engine } = await sealedWithA(1);
      const faster = interruptedBy(engine, () => new SealedKeyStore(engine, fromA).reseal());
      expect(await new SealedKeyStore(faster, fromA).reseal()).toEqual({ checked: 1, resealed: 0 });
    });

    it('a pin refuses the pin if the reseal was faster, and keeps it when it is retried', async () => {
      const { engine, yubikeys } = await sealedWithA(1);
      const id = (yubikeys[0] as SoftYubikey).publicId;
      const pinning = new SealedKeyStore(engine, fromA);
      const stale = (await pinning.get(id)) as KeyRecord;
      await new SealedKeyStore(engine, fromA).reseal();
      expect(await pinning.replace(stale, { privateId: Buffer.from('pinned') })).toBe(false);
      const fresh = (await pinning.get(id)) as KeyRecord;
      expect(await pinning.replace(fresh, { privateId: Buffer.from('pinned') })).toBe(true);
      expect(await new SealedKeyStore(engine, onlyB).get(id)).toMatchObject({
        privateId: Buffer.from('pinned'),
      });
    });
  });
});
