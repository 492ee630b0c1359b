import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  CachedClientStore,
  CachedKeyStore,
  type KeyRecord,
  type KeyStore,
  MemoryStore,
} from '../../../src/stores/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import { describeStore } from '../../support/stores/store-contract.js';

describeStore('CachedKeyStore and CachedClientStore', async () => {
  const { keys, clients, counters } = new MemoryStore();
  return {
    keys: new CachedKeyStore(keys),
    clients: new CachedClientStore(clients),
    counters,
    close: async () => {},
  };
});

describe('CachedKeyStore', () => {
  let keys: KeyStore;
  let cached: CachedKeyStore;
  const yubikey = new SoftYubikey();
  const { publicId } = yubikey;
  const stored = async () => (await keys.get(publicId)) as KeyRecord;

  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    keys = new MemoryStore().keys;
    await keys.add(yubikey);
    vi.spyOn(keys, 'get');
    cached = new CachedKeyStore(keys);
  });
  afterEach(() => vi.useRealTimers());

  it('reads a key once a second, even for concurrent calls', async () => {
    await Promise.all([cached.get(publicId), cached.get(publicId)]);
    await cached.get(publicId);
    vi.advanceTimersByTime(999);
    expect(await cached.get(publicId)).toMatchObject({ publicId, active: true });
    expect(keys.get).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(1);
    await cached.get(publicId);
    expect(keys.get).toHaveBeenCalledTimes(2);
  });

  it('sees changes by others within a second', async () => {
    await cached.get(publicId);
    await keys.replace(await stored(), { active: false });
    vi.advanceTimersByTime(1000);
    expect(await cached.get(publicId)).toMatchObject({ active: false });
    await keys.delete(publicId);
    vi.advanceTimersByTime(1000);
    expect(await cached.get(publicId)).toBeUndefined();
  });

  it('reads a key again one second after the last read began, however long that took', async () => {
    let answer = (_: KeyRecord) => {};
    vi.mocked(keys.get).mockReturnValueOnce(
      new Promise((resolve) => {
        answer = resolve;
      }),
    );
    const slow = cached.get(publicId);
    vi.advanceTimersByTime(1000);
    const changed = cached.get(publicId);
    answer({ ...(await stored()), notes: 'as it was' });
    expect(await slow).toMatchObject({ notes: 'as it was' });
    expect(await changed).toMatchObject({ notes: '' });
    expect(await cached.get(publicId)).toMatchObject({ notes: '' });
  });

  it('shows its own changes at once, even after a read that began before the change was done', async () => {
    const before = (await cached.get(publicId)) as KeyRecord;
    const disabling = cached.replace(before, { active: false });
    const meanwhile = cached.get(publicId);
    expect(await disabling).toBe(true);
    await meanwhile;
    expect(await cached.get(publicId)).toMatchObject({ active: false });
    await cached.delete(publicId);
    expect(await cached.get(publicId)).toBeUndefined();
    await cached.add(yubikey);
    expect(await cached.get(publicId)).toMatchObject({ active: true });
  });

  it('reads again after a change that lost against another one', async () => {
    const before = (await cached.get(publicId)) as KeyRecord;
    await keys.replace(await stored(), { notes: 'of another process' });
    expect(await cached.replace(before, { active: false })).toBe(false);
    expect(await cached.get(publicId)).toMatchObject({ notes: 'of another process' });
  });

  it('does not cache that a key is missing', async () => {
    const other = new SoftYubikey();
    expect(await cached.get(other.publicId)).toBeUndefined();
    await keys.add(other);
    expect(await cached.get(other.publicId)).toMatchObject({ active: true });
  });

  it('drops everything it read before a read that failed', async () => {
    await cached.get(publicId);
    vi.mocked(keys.get).mockRejectedValueOnce(new Error('gone'));
    await expect(cached.get('vvvvvvvvvvvv')).rejects.toThrow('gone');
    await keys.replace(await stored(), { active: false });
    expect(await cached.get(publicId)).toMatchObject({ active: false });
  });

  it('keeps at most the 2,000 keys that were read last', async () => {
    vi.mocked(keys.get).mockImplementation(async (id) => ({ publicId: id }) as KeyRecord);
    for (let count = 0; count < 2_001; count++) await cached.get(String(count));
    await cached.get('2000');
    expect(keys.get).toHaveBeenCalledTimes(2_001);
    await cached.get('0');
    expect(keys.get).toHaveBeenCalledTimes(2_002);
  });
});
