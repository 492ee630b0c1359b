import { expect, it } from 'vitest';
import type { ClientStore, NewClient } from '../../../../src/stores/index.js';

const API_KEY = Uint8Array.from({ length: 20 }, (_, n) => 255 - n);
const client = (changes: Partial<NewClient> = {}): NewClient => ({ id: '87', apiKey: API_KEY, ...changes });

/** Clients are stored like keys: only their ids and secrets differ. */
export function describeClientStore(store: () => ClientStore): void {
  it('get returns the client that was added', async () => {
    expect(await store().add(client({ notes: 'VPN', active: false }))).toBe(true);
    const record = await store().get('87');
    expect(record).toMatchObject({ id: '87', notes: 'VPN', active: false });
    expect(Buffer.from(record?.apiKey ?? [])).toEqual(Buffer.from(API_KEY));
    expect(await store().get('8')).toBeUndefined();
  });

  it('add is false if the id is taken', async () => {
    expect(await store().add(client())).toBe(true);
    expect(await store().add(client({ notes: 'second' }))).toBe(false);
    expect(await store().get('87')).toMatchObject({ notes: '' });
  });

  it('replace is compare-and-swap', async () => {
    await store().add(client());
    const stale = await store().get('87');
    if (!stale) throw new Error('a client that was added is missing');
    expect(await store().replace(stale, { active: false })).toBe(true);
    expect(await store().replace(stale, { notes: 'late' })).toBe(false);
    expect(await store().get('87')).toMatchObject({ active: false, notes: '' });
  });

  it('list returns all clients in pages, and delete removes one', async () => {
    for (const id of ['1', '2', '3']) await store().add(client({ id }));
    const page = await store().list({ limit: 2 });
    expect(page.records.map(({ id }) => id)).toEqual(['1', '2']);
    expect((await store().list({ after: page.next, limit: 2 })).records.map(({ id }) => id)).toEqual(['3']);
    expect(await store().delete('2')).toBe(true);
    expect(await store().delete('2')).toBe(false);
    expect((await store().list()).records.map(({ id }) => id)).toEqual(['1', '3']);
  });

  it.each(['', 'x', '1x', '-1', '1'.repeat(21), "1' OR '1'='1"])('the id %j is refused', async (id) => {
    await expect(store().add(client({ id }))).rejects.toThrow(TypeError);
    expect((await store().list()).records).toEqual([]);
  });
}
