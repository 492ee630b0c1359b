import assert from 'node:assert/strict';
import { encodeModhex } from '../../otp/modhex.js';
import type { KeyRecord, KeyStore, NewKey } from '../../stores/store.js';
import { assertEqual, assertMatch } from '../assertions.js';
import type { DefineTest } from '../test-runner.js';
import { assertPages } from './pages.js';
import { UNFIT_IDS } from './unfit-ids.js';

const PUBLIC_ID = 'vvcbdefghijk';
const AES_KEY = Uint8Array.from({ length: 16 }, (_, n) => n * 17);
const PRIVATE_ID = Uint8Array.of(0, 255, 0, 1, 2, 0);
const key = (changes: Partial<NewKey> = {}): NewKey => ({
  publicId: PUBLIC_ID,
  aesKey: AES_KEY,
  privateId: PRIVATE_ID,
  ...changes,
});

async function find(keys: KeyStore, publicId = PUBLIC_ID): Promise<KeyRecord> {
  const record = await keys.get(publicId);
  assert.ok(record, `the key ${publicId}`);
  return record;
}

async function add(keys: KeyStore, changes: Partial<NewKey> = {}): Promise<KeyRecord> {
  const added = key(changes);
  assert.equal(await keys.add(added), true, `add of ${added.publicId}`);
  return find(keys, added.publicId);
}

export function describeKeyStore(it: DefineTest<KeyStore>): void {
  it('get returns the key that was added, and undefined if there is none', async (keys) => {
    const before = Date.now();
    const record = await add(keys, { notes: 'desk 7' });
    const { createdAt } = record;
    assertMatch(record, { ...key(), notes: 'desk 7', active: true });
    assert.ok(createdAt instanceof Date, 'createdAt is a Date');
    assert.ok(createdAt.getTime() >= before && createdAt.getTime() <= Date.now(), 'createdAt is now');
    assert.equal(await keys.get('vvcbdefghijl'), undefined);
    assert.equal(await keys.get(''), undefined);
  });

  it('get returns the right key to each of many concurrent calls: some twice, some missing', async (keys) => {
    const ids = [PUBLIC_ID, 'cc', 'vvcbdefghijl', '', PUBLIC_ID, 'vvcbdefghijc'];
    const stored = ids.slice(0, 3);
    for (const publicId of stored) await add(keys, { publicId, notes: `of ${publicId}` });
    const records = await Promise.all(ids.map((id) => keys.get(id)));
    assert.deepEqual(
      records.map((record) => record?.notes),
      ids.map((id) => (stored.includes(id) ? `of ${id}` : undefined)),
    );
  });

  for (const id of UNFIT_IDS) {
    it(`refuses ${JSON.stringify(id)} for an id, while concurrent calls get their answers`, async (keys) => {
      await add(keys);
      const [found, refused] = await Promise.allSettled([find(keys), keys.get(id)]);
      assert.equal(found.status, 'fulfilled');
      assertMatch(found.value, { publicId: PUBLIC_ID });
      assert.equal(refused.status, 'rejected');
      assert.ok(refused.reason instanceof TypeError, `a TypeError, not ${refused.reason}`);
      await assert.rejects(keys.delete(id), TypeError);
      await assert.rejects(keys.list({ after: id }), TypeError);
    });
  }

  it('by default, a key has no private ID and no notes, and is active', async (keys) => {
    const record = await add(keys, { privateId: undefined });
    assertMatch(record, { privateId: undefined, notes: '', active: true });
    assert.equal(record.privateId, undefined);
    assert.equal((await add(keys, { publicId: 'c', active: false })).active, false);
  });

  for (const [what, bytes] of [
    ['zeros', Buffer.alloc(16)],
    ['of any value', Buffer.from(Array.from({ length: 256 }, (_, n) => n))],
    ['of another length', Buffer.of(0)],
    ['a part of a buffer', Buffer.from('xx1234567890123456xx').subarray(2, 18)],
  ] as const) {
    it(`get returns equal bytes if they are ${what}`, async (keys) => {
      const record = await add(keys, { aesKey: bytes, privateId: bytes });
      assert.ok(record.aesKey instanceof Uint8Array, 'aesKey is a Uint8Array');
      assertMatch(record, { aesKey: bytes, privateId: bytes });
    });
  }

  it('get returns equal notes, whatever they contain', async (keys) => {
    const notes = `Zoë O'Brien "💾" \\ % _ ; -- DROP TABLE yubikey_keys; 中文\n\t`;
    assert.equal((await add(keys, { notes })).notes, notes);
  });

  for (const notes of [true, 7, { a: 1 }, ['text']] as unknown as string[]) {
    it(`refuses ${JSON.stringify(notes)} for notes`, async (keys) => {
      await assert.rejects(keys.add(key({ notes })), TypeError);
      const record = await add(keys);
      await assert.rejects(keys.replace(record, { notes }), TypeError);
      assertEqual(await find(keys), record);
    });
  }

  it('the empty public ID is a public ID like any other', async (keys) => {
    const record = await add(keys, { publicId: '' });
    assert.equal(record.publicId, '');
    assert.equal(await keys.add(key({ publicId: '' })), false);
    assert.equal(await keys.replace(record, { notes: 'new' }), true);
    assert.deepEqual(
      (await keys.list()).records.map(({ notes }) => notes),
      ['new'],
    );
    assert.equal(await keys.delete(''), true);
    assert.equal(await keys.get(''), undefined);
  });

  it('add is false if the public ID is taken, and changes nothing', async (keys) => {
    const record = await add(keys, { notes: 'first' });
    const second = key({ aesKey: Buffer.alloc(16), notes: 'second', active: false });
    assert.equal(await keys.add(second), false);
    assertEqual(await find(keys), record);
  });

  it('of many keys added at once with one public ID, exactly one is stored', async (keys) => {
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, n) => keys.add(key({ notes: String(n) }))),
    );
    assert.equal(results.filter(Boolean).length, 1);
    assert.equal((await find(keys)).notes, String(results.indexOf(true)));
  });

  for (const publicId of ['VVCBDEFGHIJK', 'a', 'c'.repeat(17), 'cc ', 'cc\n', "c' OR '1'='1"]) {
    it(`add refuses the public ID ${JSON.stringify(publicId)}`, async (keys) => {
      await assert.rejects(keys.add(key({ publicId })), TypeError);
      assert.deepEqual((await keys.list()).records, []);
    });
  }

  it('add and replace refuse secrets that are not bytes, and do not repeat them', async (keys) => {
    const secret = '88888888888888888888888888888888';
    const record = await add(keys);
    for (const wrong of [{ aesKey: secret }, { privateId: secret }] as unknown as Partial<NewKey>[]) {
      for (const call of [keys.add(key({ publicId: 'c', ...wrong })), keys.replace(record, wrong)]) {
        const error = await call.catch((error) => error);
        assert.ok(error instanceof TypeError, `a TypeError, not ${error}`);
        assert.ok(!error.message.includes(secret), 'the message does not repeat the secret');
      }
    }
    assertEqual(await find(keys), record);
  });

  it('replace writes the given properties and keeps the others', async (keys) => {
    const record = await add(keys, { notes: 'old', active: false });
    assert.equal(await keys.replace(record, { notes: 'new', active: undefined }), true);
    const next = await find(keys);
    assertEqual(next, { ...record, notes: 'new', revision: next.revision });
    assert.notEqual(next.revision, record.revision);
    assert.equal(await keys.replace(next, { active: true, notes: undefined, aesKey: PRIVATE_ID }), true);
    assertMatch(await find(keys), { notes: 'new', active: true, aesKey: PRIVATE_ID });
  });

  it('replace with a record that is no longer current is false, and changes nothing', async (keys) => {
    const stale = await add(keys);
    await keys.replace(stale, { notes: 'second' });
    const second = await find(keys);
    assert.equal(await keys.replace(stale, { notes: 'third', active: false }), false);
    assertEqual(await find(keys), second);
  });

  it('replace is false for a key that was deleted, even after an identical one was added', async (keys) => {
    const stale = await add(keys);
    await keys.delete(stale.publicId);
    assert.equal(await keys.replace(stale, { notes: 'late' }), false);
    assert.equal(await keys.get(stale.publicId), undefined);
    const again = await add(keys);
    assert.equal(await keys.replace(stale, { notes: 'late' }), false);
    assertEqual(await find(keys), again);
  });

  it('of two replaces at once exactly one is true', async (keys) => {
    const record = await add(keys);
    const notes = ['one', 'other'];
    const results = await Promise.all(notes.map((notes) => keys.replace(record, { notes })));
    assert.deepEqual([...results].sort(), [false, true]);
    assert.equal((await find(keys)).notes, notes[results.indexOf(true)]);
  });

  it('delete removes one key, and is false if there is none', async (keys) => {
    const other = await add(keys, { publicId: 'c' });
    await add(keys);
    assert.equal(await keys.delete(PUBLIC_ID), true);
    assert.equal(await keys.delete(PUBLIC_ID), false);
    const { records } = await keys.list();
    assert.equal(records.length, 1);
    assertEqual(records[0], other);
  });

  it('a key that is deleted and added concurrently is listed if it exists', async (keys) => {
    for (let round = 0; round < 10; round++) {
      const both = [1, 2, 3].flatMap(() => [keys.delete('c'), keys.add(key({ publicId: 'c' }))]);
      await Promise.all([...both, keys.list()]);
      const isThere = (await keys.get('c')) !== undefined;
      assert.equal((await keys.list()).records.length, isThere ? 1 : 0);
    }
  });

  it('list returns every key once, in the order of public IDs, for any page size', async (keys) => {
    assertEqual(await keys.list(), { records: [], next: undefined });
    const publicIds = ['', 'c', 'cc', 'cb', 'vv', 'b', 'cccccccccccccccc'];
    for (const publicId of publicIds) await add(keys, { publicId });
    await assertPages(
      (options) => keys.list(options),
      ({ publicId }) => publicId,
      publicIds,
    );
  });

  it('list continues after a key that was deleted meanwhile', async (keys) => {
    for (const publicId of ['b', 'c', 'd']) await add(keys, { publicId });
    const { next } = await keys.list({ limit: 2 });
    await keys.delete('c');
    const { records } = await keys.list({ after: next, limit: 2 });
    assert.deepEqual(
      records.map(({ publicId }) => publicId),
      ['d'],
    );
  });

  it('list returns pages of 100 keys by default', async (keys) => {
    for (let n = 0; n <= 100; n++) await add(keys, { publicId: encodeModhex(Uint8Array.of(n)) });
    const { records, next } = await keys.list();
    assert.equal(records.length, 100);
    assert.equal((await keys.list({ after: next })).records.length, 1);
  });
}
