import assert from 'node:assert/strict';
import type { ClientStore, NewClient } from '../../stores/store.js';
import { assertMatch } from '../assertions.js';
import type { DefineTest } from '../test-runner.js';
import { assertPages } from './pages.js';

const API_KEY = Uint8Array.from({ length: 20 }, (_, n) => 255 - n);
const client = (changes: Partial<NewClient> = {}): NewClient => ({ id: '87', apiKey: API_KEY, ...changes });

/** Clients are stored like keys: only their ids and secrets differ. */
export function describeClientStore(it: DefineTest<ClientStore>): void {
  it('get returns the client that was added', async (clients) => {
    assert.equal(await clients.add(client({ notes: 'VPN', active: false })), true);
    assertMatch(await clients.get('87'), { id: '87', apiKey: API_KEY, notes: 'VPN', active: false });
    assert.equal(await clients.get('8'), undefined);
  });

  it('add is false if the id is taken', async (clients) => {
    assert.equal(await clients.add(client()), true);
    assert.equal(await clients.add(client({ notes: 'second' })), false);
    assertMatch(await clients.get('87'), { notes: '' });
  });

  it('replace is compare-and-swap', async (clients) => {
    await clients.add(client());
    const stale = await clients.get('87');
    assert.ok(stale, 'the client that was added');
    assert.equal(await clients.replace(stale, { active: false }), true);
    assert.equal(await clients.replace(stale, { notes: 'late' }), false);
    assertMatch(await clients.get('87'), { active: false, notes: '' });
  });

  it('list returns all clients in pages, and delete removes one', async (clients) => {
    for (const id of ['1', '2', '3']) await clients.add(client({ id }));
    await assertPages(
      (options) => clients.list(options),
      ({ id }) => id,
      ['1', '2', '3'],
    );
    assert.equal(await clients.delete('2'), true);
    assert.equal(await clients.delete('2'), false);
    const { records } = await clients.list();
    assert.deepEqual(
      records.map(({ id }) => id),
      ['1', '3'],
    );
  });

  for (const id of ['', 'x', '1x', '-1', '1'.repeat(21), "1' OR '1'='1"]) {
    it(`the id ${JSON.stringify(id)} is refused`, async (clients) => {
      await assert.rejects(clients.add(client({ id })), TypeError);
      assert.deepEqual((await clients.list()).records, []);
    });
  }
}
