import { expect, it } from 'vitest';
import type { ClientStore, NewClient } from '../../../../src/stores/index.js';

const API_KEY = Uint8Array.from({ length: 20 }, (_, n) => 255 - n);
const client = (changes: Partial<NewClient> = {}): NewClient => ({ id: '87', apiKey: API_KEY, ...changes });

/** Clients are stored as keys are: what differs is their id and their secret. */
export function describeClientStore(store: () => ClientStore): void {
  it('get gives what add was given', async () => {
    expect(await store().add(client({ notes: 'VPN', active: false }))).toBe(true);
    const record = await store().get('87');
    expect(record).toMatchObject({ id: '87', notes: 'VPN', active: false });
    expect(Buffer.from(record?.apiKey ?? [])).toEqual(Buffer.from(API_KEY));
    expect(await store().get('8')).toBeUndefined();
  });

  it('a taken id is not added again', async () => {
    expect(await store().add(client())).toBe(true);
    expect(await store().add(client({ notes: 'second' }))).toBe(false);
    expect(await store().get('87')).toMatchObject({ notes: '' });
  });

  it('replace is compare-and-swap', async () => {
    await store().add(client());
    const stale = await store().get('87');
    if (!stale) throw new Error('a client that was added is not there');
    expect(await store().replace(stale, { active: false })).toBe(true);
    expect(await store().replace(stale, { notes: 'late' })).toBe(false);
    expect(await store().get('87')).toMatchObject({ active: false, notes: '' });
  });

  it('list goes through all in pages, and delete takes one away', async () => {
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
