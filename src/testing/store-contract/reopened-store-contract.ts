import assert from 'node:assert/strict';
import { assertEqual } from '../assertions.js';
import type { TestRunner } from '../test-runner.js';
import type { OpenStore } from './open-store.js';

const TOUCH = { usageCounter: 5, sessionUse: 7, timestamp: 99 };
const NONCE = 'a'.repeat(32);
const KEY = { publicId: 'cc', aesKey: Buffer.alloc(16, 1), privateId: Buffer.alloc(6, 2), notes: 'desk 7' };
const CLIENT = { id: '87', apiKey: Buffer.alloc(20, 3), active: false };

export function describeReopenedStore<Store extends OpenStore>(
  it: TestRunner['it'],
  open: () => Promise<Store>,
  reopen: (closed: Store) => Promise<OpenStore>,
): void {
  function defineTest(
    name: string,
    test: (store: OpenStore, closeAndReopen: () => Promise<OpenStore>) => Promise<void>,
  ) {
    it(name, async () => {
      const first = await open();
      let current: OpenStore = first;
      const closeAndReopen = async () => {
        await first.close();
        current = await reopen(first);
        return current;
      };
      try {
        await test(first, closeAndReopen);
      } finally {
        await current.close();
      }
    });
  }

  defineTest('has the keys and clients, with their dates and revisions', async (store, closeAndReopen) => {
    await store.keys.add(KEY);
    await store.clients.add(CLIENT);
    const [key, client] = [await store.keys.get('cc'), await store.clients.get('87')];
    assert.ok(key && client);
    const reopened = await closeAndReopen();
    assertEqual(await reopened.keys.get('cc'), key);
    assertEqual(await reopened.clients.get('87'), client);
    assert.equal(await reopened.keys.replace(key, { notes: 'desk 8' }), true);
    assert.equal(await reopened.keys.add(KEY), false);
  });

  defineTest('has the counters, and refuses what was accepted before', async (store, closeAndReopen) => {
    await store.counters.advance('cc', TOUCH, NONCE, new Date('2020-01-02T03:04:05Z'));
    const before = await store.counters.get('cc');
    assert.ok(before);
    const { counters } = await closeAndReopen();
    assertEqual(await counters.get('cc'), before);
    assertEqual((await counters.list()).records[0], { publicId: 'cc', nonce: NONCE, ...before });
    assertEqual(await counters.advance('cc', TOUCH), { advanced: false, reason: 'REPLAYED_OTP' });
    assertEqual(await counters.advance('cc', TOUCH, NONCE), { advanced: false, reason: 'REPLAYED_REQUEST' });
  });

  defineTest(
    'does not have a key that was deleted, but still its counters',
    async (store, closeAndReopen) => {
      await store.keys.add(KEY);
      await store.counters.advance('cc', TOUCH);
      await store.keys.delete('cc');
      const { keys, counters } = await closeAndReopen();
      assert.equal(await keys.get('cc'), undefined);
      assertEqual(await counters.advance('cc', TOUCH), { advanced: false, reason: 'REPLAYED_OTP' });
    },
  );
}
