import { MemoryStore } from 'passport-yubikey-otp/stores';
import { describe, expect, it } from 'vitest';
import { importCounters } from '../../src/transfer/import-counters.js';
import type { CountersEntry } from '../../src/transfer/ykval.js';

const PUBLIC_ID = 'vvcc';

/** The entry for a line of a deactivated key. */
const off = (usageCounter?: number, problem?: string): CountersEntry => ({
  publicId: PUBLIC_ID,
  counters: usageCounter === undefined ? undefined : { usageCounter, sessionUse: 0, timestamp: 0 },
  nonce: undefined,
  acceptedAt: new Date(0),
  active: false,
  problem,
});
const on = (usageCounter: number): CountersEntry => ({ ...off(usageCounter), active: true });

async function storeWithKey() {
  const store = new MemoryStore();
  await store.keys.add({ publicId: PUBLIC_ID, aesKey: Buffer.alloc(16) });
  return {
    store,
    enable: async () => {
      const key = await store.keys.get(PUBLIC_ID);
      if (key) await store.keys.replace(key, { active: true });
    },
    isActive: async () => (await store.keys.get(PUBLIC_ID))?.active,
  };
}

describe('importCounters, for a deactivated key,', () => {
  it.each<[string, CountersEntry[], CountersEntry]>([
    ['that was never used', [], off()],
    ['whose line cannot be read otherwise', [], off(undefined, 'a problem')],
    ['that is active, with the same counters, at another server of the pool', [on(7)], off(7)],
    ['that was used here after the other server was imported', [on(9)], off(7)],
  ])('disables it: %s', async (_, before, entry) => {
    const { store, isActive } = await storeWithKey();
    for (const earlier of before) await importCounters(store, earlier);
    expect(await importCounters(store, entry)).toMatchObject({ disabled: true });
    expect(await isActive()).toBe(false);
  });

  it.each<[string, CountersEntry]>([
    ['never used', off()],
    ['used', off(7)],
    ['a line that cannot be read otherwise', off(undefined, 'a problem')],
  ])('leaves it active if it was enabled later, and reports it each time: %s', async (_, entry) => {
    const { store, enable, isActive } = await storeWithKey();
    await importCounters(store, entry);
    const again = await importCounters(store, entry);
    expect(again.problem).toEqual(entry.problem && expect.stringContaining('disabled here'));
    await enable();
    for (let time = 0; time < 2; time++) {
      const { problem, disabled } = await importCounters(store, entry);
      expect(problem).toContain('yubikey-otp keys disable vvcc');
      expect(disabled).toBe(false);
      expect(await isActive()).toBe(true);
    }
    // Newer counters come from a newer file of a server that still has the key deactivated.
    expect(await importCounters(store, off(8))).toMatchObject({ tally: 'raised', disabled: true });
    expect(await isActive()).toBe(false);
  });

  it('disables it again if it was deleted and stored again, which does not count as enabling', async () => {
    const { store, isActive } = await storeWithKey();
    await importCounters(store, off());
    await store.keys.delete(PUBLIC_ID);
    await new Promise((resolve) => setTimeout(resolve, 2));
    await store.keys.add({ publicId: PUBLIC_ID, aesKey: Buffer.alloc(16) });
    expect(await isActive()).toBe(true);
    await importCounters(store, off());
    expect(await isActive()).toBe(false);
  });

  it('remembers the file even if the key was disabled here before', async () => {
    const { store, enable, isActive } = await storeWithKey();
    const key = await store.keys.get(PUBLIC_ID);
    if (key) await store.keys.replace(key, { active: false });
    expect(await importCounters(store, off())).toMatchObject({ tally: 'unchanged', disabled: false });
    await enable();
    expect((await importCounters(store, off())).problem).toContain('enabled here after');
    expect(await isActive()).toBe(true);
  });

  it('disables it when it is run again, wherever it was interrupted', async () => {
    for (let left = 0; left < 4; left++) {
      const { store, isActive } = await storeWithKey();
      let writes = left;
      const breaking = <Args extends unknown[], Result>(write: (...args: Args) => Promise<Result>) => {
        return async (...args: Args) => {
          if (writes-- === 0) throw new Error('broken off');
          return write(...args);
        };
      };
      const { keys, counters } = store;
      const target = {
        keys: { get: (id: string) => keys.get(id), replace: breaking(keys.replace.bind(keys)) },
        counters: {
          get: (id: string) => counters.get(id),
          advance: breaking(counters.advance.bind(counters)),
        },
      };
      const broken = importCounters(target, off(7));
      if (left < 3) await expect(broken).rejects.toThrow('broken off');
      else await broken;
      const isDisabled = (await isActive()) === false;
      expect(isDisabled).toBe(left > 0);
      await importCounters(store, off(7));
      expect(await isActive()).toBe(false);
      expect(await store.counters.get(PUBLIC_ID)).toMatchObject({ usageCounter: 7 });
    }
  });

  it('refuses the whole line if the key is not stored, so that importing it again loses nothing', async () => {
    const store = new MemoryStore();
    for (const entry of [off(7), off(), off(undefined, 'a problem')]) {
      const { tally, problem } = await importCounters(store, entry);
      expect(tally).toBe('refused');
      expect(problem).toMatch(/^(a problem; )?the key vvcc is deactivated.*then this file again$/);
    }
    expect((await store.counters.list()).records).toEqual([]);
  });
});
