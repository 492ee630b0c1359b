import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { KeyRecord, KeyStore, NewKey } from '../../../../src/stores/index.js';
import { modhex } from '../../arbitraries.js';

const AES_KEY = Uint8Array.from({ length: 16 }, (_, n) => n * 17);
const PRIVATE_ID = Uint8Array.of(0, 255, 0, 1, 2, 0);
const key = (changes: Partial<NewKey> = {}): NewKey => ({
  publicId: 'vvcbdefghijk',
  aesKey: AES_KEY,
  privateId: PRIVATE_ID,
  ...changes,
});

export function describeKeyStore(store: () => KeyStore): void {
  async function added(changes: Partial<NewKey> = {}): Promise<KeyRecord> {
    expect(await store().add(key(changes))).toBe(true);
    const record = await store().get(changes.publicId ?? key().publicId);
    if (!record) throw new Error('a key that was added is missing');
    return record;
  }
  const current = async () => (await store().get(key().publicId)) as KeyRecord;

  it('get returns the key that was added, and undefined if there is none', async () => {
    const before = Date.now();
    const record = await added({ notes: 'desk 7' });
    expect(record).toMatchObject({ publicId: 'vvcbdefghijk', notes: 'desk 7', active: true });
    expect(Buffer.from(record.aesKey)).toEqual(Buffer.from(AES_KEY));
    expect(Buffer.from(record.privateId ?? [])).toEqual(Buffer.from(PRIVATE_ID));
    expect(record.createdAt.getTime()).toBeGreaterThanOrEqual(before);
    expect(record.createdAt.getTime()).toBeLessThanOrEqual(Date.now());
    expect(await store().get('vvcbdefghijl')).toBeUndefined();
    expect(await store().get('')).toBeUndefined();
  });

  it('get returns the right key to each of many concurrent calls: some twice, some missing', async () => {
    const ids = ['vvcbdefghijk', 'cc', 'vvcbdefghijl', '', 'vvcbdefghijk', 'vvcbdefghijc'];
    const stored = ids.slice(0, 3);
    for (const publicId of stored) await added({ publicId, notes: `of ${publicId}` });
    const records = await Promise.all(ids.map((id) => store().get(id)));
    expect(records.map((record) => record?.notes)).toEqual(
      ids.map((id) => (stored.includes(id) ? `of ${id}` : undefined)),
    );
  });

  it.each([[null], [true], [{ a: 1 }], [['c']], ['c\0'], ['c\ud800']])(
    'refuses %j for an id, while concurrent calls get their answers',
    async (id) => {
      await added();
      const unfit = id as string;
      const [found, refused] = await Promise.allSettled([current(), store().get(unfit)]);
      expect(found).toMatchObject({ status: 'fulfilled', value: { publicId: key().publicId } });
      expect(refused).toMatchObject({ status: 'rejected', reason: expect.any(TypeError) });
      await expect(store().delete(unfit)).rejects.toThrow(TypeError);
      await expect(store().list({ after: unfit })).rejects.toThrow(TypeError);
    },
  );

  it('by default, a key has no private ID and no notes, and is active', async () => {
    const record = await added({ privateId: undefined });
    expect(record).toMatchObject({ privateId: undefined, notes: '', active: true });
    expect((await added({ publicId: 'c', active: false })).active).toBe(false);
  });

  it.each([
    ['zeros', Buffer.alloc(16)],
    ['of any value', Buffer.from(Array.from({ length: 256 }, (_, n) => n))],
    ['of another length', Buffer.of(0)],
    ['a part of a buffer', Buffer.from('xx1234567890123456xx').subarray(2, 18)],
  ])('get returns equal bytes if they are %s', async (_, bytes) => {
    const record = await added({ aesKey: bytes, privateId: bytes });
    expect(record.aesKey).toBeInstanceOf(Uint8Array);
    expect(Buffer.from(record.aesKey)).toEqual(Buffer.from(bytes));
    expect(Buffer.from(record.privateId ?? [])).toEqual(Buffer.from(bytes));
  });

  it('get returns equal notes, whatever they contain', async () => {
    const notes = `Zoë O'Brien "💾" \\ % _ ; -- DROP TABLE yubikey_keys; 中文\n\t`;
    expect((await added({ notes })).notes).toBe(notes);
  });

  it.each([[true], [7], [{ a: 1 }], [['text']]])('refuses %j for notes', async (notes) => {
    const unfit = { notes: notes as unknown as string };
    await expect(store().add(key(unfit))).rejects.toThrow(TypeError);
    const record = await added();
    await expect(store().replace(record, unfit)).rejects.toThrow(TypeError);
    expect(await current()).toEqual(record);
  });

  it('the empty public ID is a public ID like any other', async () => {
    const record = await added({ publicId: '' });
    expect(record.publicId).toBe('');
    expect(await store().add(key({ publicId: '' }))).toBe(false);
    expect(await store().replace(record, { notes: 'new' })).toBe(true);
    expect((await store().list()).records.map(({ notes }) => notes)).toEqual(['new']);
    expect(await store().delete('')).toBe(true);
    expect(await store().get('')).toBeUndefined();
  });

  it('add is false if the public ID is taken, and changes nothing', async () => {
    const record = await added({ notes: 'first' });
    expect(await store().add(key({ aesKey: Buffer.alloc(16), notes: 'second', active: false }))).toBe(false);
    expect(await current()).toEqual(record);
  });

  it('of many keys added at once with one public ID, exactly one is stored', async () => {
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, n) => store().add(key({ notes: String(n) }))),
    );
    expect(results.filter(Boolean)).toHaveLength(1);
    expect((await current()).notes).toBe(String(results.indexOf(true)));
  });

  it.each(['VVCBDEFGHIJK', 'a', 'c'.repeat(17), 'cc ', 'cc\n', "c' OR '1'='1"])(
    'add refuses the public ID %j',
    async (publicId) => {
      await expect(store().add(key({ publicId }))).rejects.toThrow(TypeError);
      expect((await store().list()).records).toEqual([]);
    },
  );

  it('add and replace refuse secrets that are not bytes, and do not repeat them', async () => {
    const secret = '88888888888888888888888888888888';
    const record = await added();
    for (const wrong of [{ aesKey: secret }, { privateId: secret }] as unknown as Partial<NewKey>[]) {
      for (const call of [store().add(key({ publicId: 'c', ...wrong })), store().replace(record, wrong)]) {
        const error = await call.catch((error) => error);
        expect(error).toBeInstanceOf(TypeError);
        expect(error.message).not.toContain(secret);
      }
    }
    expect(await current()).toEqual(record);
  });

  it('replace writes the given properties and keeps the others', async () => {
    const record = await added({ notes: 'old', active: false });
    expect(await store().replace(record, { notes: 'new', active: undefined })).toBe(true);
    const next = await current();
    expect(next).toEqual({ ...record, notes: 'new', revision: next.revision });
    expect(next.revision).not.toBe(record.revision);
    expect(await store().replace(next, { active: true, notes: undefined, aesKey: PRIVATE_ID })).toBe(true);
    expect(await current()).toMatchObject({ notes: 'new', active: true });
    expect(Buffer.from((await current()).aesKey)).toEqual(Buffer.from(PRIVATE_ID));
  });

  it('replace with a record that is no longer current is false, and changes nothing', async () => {
    const stale = await added();
    await store().replace(stale, { notes: 'second' });
    const second = await current();
    expect(await store().replace(stale, { notes: 'third', active: false })).toBe(false);
    expect(await current()).toEqual(second);
  });

  it('replace is false for a key that was deleted, even after an identical one was added', async () => {
    const stale = await added();
    await store().delete(stale.publicId);
    expect(await store().replace(stale, { notes: 'late' })).toBe(false);
    expect(await store().get(stale.publicId)).toBeUndefined();
    const again = await added();
    expect(await store().replace(stale, { notes: 'late' })).toBe(false);
    expect(await current()).toEqual(again);
  });

  it('of two replaces at once exactly one is true', async () => {
    const record = await added();
    const notes = ['one', 'other'];
    const results = await Promise.all(notes.map((notes) => store().replace(record, { notes })));
    expect([...results].sort()).toEqual([false, true]);
    expect((await current()).notes).toBe(notes[results.indexOf(true)]);
  });

  it('delete removes one key, and is false if there is none', async () => {
    const other = await added({ publicId: 'c' });
    await added();
    expect(await store().delete(key().publicId)).toBe(true);
    expect(await store().delete(key().publicId)).toBe(false);
    expect((await store().list()).records).toEqual([other]);
  });

  it('a key that is deleted and added concurrently is listed if it exists', async () => {
    for (let round = 0; round < 10; round++) {
      const both = [1, 2, 3].flatMap(() => [store().delete('c'), store().add(key({ publicId: 'c' }))]);
      await Promise.all([...both, store().list()]);
      const isThere = (await store().get('c')) !== undefined;
      expect((await store().list()).records).toHaveLength(isThere ? 1 : 0);
    }
  });

  it('list returns every key once, in the order of public IDs, for any page size', async () => {
    expect(await store().list()).toEqual({ records: [], next: undefined });
    const publicIds = ['', 'c', 'cc', 'cb', 'vv', 'b', 'cccccccccccccccc'];
    for (const publicId of publicIds) await added({ publicId });
    for (let limit = 1; limit <= publicIds.length + 1; limit++) {
      const seen: string[] = [];
      let after: string | undefined;
      do {
        const page = await store().list({ after, limit });
        expect(page.records.length).toBeLessThanOrEqual(limit);
        seen.push(...page.records.map(({ publicId }) => publicId));
        after = page.next;
      } while (after !== undefined && seen.length <= publicIds.length);
      expect(seen).toEqual([...publicIds].sort());
    }
  });

  it('list continues after a key that was deleted meanwhile', async () => {
    for (const publicId of ['b', 'c', 'd']) await added({ publicId });
    const { next } = await store().list({ limit: 2 });
    await store().delete('c');
    expect((await store().list({ after: next, limit: 2 })).records.map(({ publicId }) => publicId)).toEqual([
      'd',
    ]);
  });

  it('list returns pages of 100 keys by default', async () => {
    const ids = fc.sample(fc.uniqueArray(modhex(4), { minLength: 101, maxLength: 101 }), 1)[0] as string[];
    for (const publicId of ids) await added({ publicId });
    const page = await store().list();
    expect(page.records).toHaveLength(100);
    expect((await store().list({ after: page.next })).records).toHaveLength(1);
  });
}
