import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Batch, WriteFault } from '../../../src/stores/batching/batch.js';
import { Batcher } from '../../../src/stores/batching/batcher.js';
import { OpenCalls } from '../../../src/stores/open-calls.js';
import { record } from '../../support/diagnostics.js';
import { withStoppedClock } from '../../support/stopped-clock.js';

type Item = { id: string };

/** Batches over a writer that does what `write` does; its errors mean `fault`. */
function openBatcher(write: (batch: Batch<Item>) => Promise<unknown>, fault: WriteFault = 'REFUSED') {
  const writer = {
    atOnce: 1,
    classifyFault: () => fault,
    async write(batch: Batch<Item>) {
      await write(batch);
      return batch.items.map(({ id }) => id);
    },
  };
  const batcher = new Batcher<Item, string>(writer, new OpenCalls('TestStore'));
  return (...ids: string[]) => Promise.allSettled(ids.map((id) => batcher.add({ id })));
}

const begin = async (batch: Batch<Item>) => batch.beginWrite();
const fail = async (batch: Batch<Item>) => {
  batch.beginWrite();
  throw new Error('failed');
};

describe('a batch publishes', () => {
  it('its store, its size and its time', () =>
    withStoppedClock(async () => {
      const recording = record();
      const add = openBatcher(async (batch) => {
        batch.beginWrite();
        vi.advanceTimersByTime(7);
      });
      await add('a', 'b', 'c');
      expect(recording.names).toEqual(['batch']);
      expect(recording.plain('batch')).toEqual([
        { store: 'TestStore', size: 3, milliseconds: 7, outcome: 'WRITTEN' },
      ]);
    }));

  it('once for each write: calls with the same id are written one after another', async () => {
    const recording = record();
    await openBatcher(begin)('a', 'a', 'b');
    expect(recording.plain('batch').map(({ size }) => size)).toEqual([2, 1]);
  });

  it.each([
    ['REFUSED', 'STORE_FAILED'],
    ['UNANSWERED', 'ANSWER_LOST'],
  ] as const)('the outcome %s, and %s for each call in it', async (fault, code) => {
    const recording = record();
    await openBatcher(fail, fault)('a', 'b');
    expect(recording.plain('batch')).toMatchObject([{ size: 2, outcome: fault }]);
    const message = { store: 'TestStore', code, milliseconds: expect.any(Number) };
    expect(recording.plain('store-fault')).toEqual([message, message]);
  });

  it('ITEM_REFUSED, and then the parts that are written without the item', async () => {
    const recording = record();
    const add = openBatcher(async (batch) => {
      batch.beginWrite();
      if (batch.items.some(({ id }) => id === 'bad')) throw new Error('bad');
    }, 'ITEM_REFUSED');
    await add('a', 'bad');
    expect(recording.plain('batch').map(({ size, outcome }) => [size, outcome])).toEqual([
      [2, 'ITEM_REFUSED'],
      [1, 'WRITTEN'],
      [1, 'ITEM_REFUSED'],
    ]);
    expect(recording.plain('store-fault')).toMatchObject([{ code: 'STORE_FAILED' }]);
  });

  it('nothing for a part whose callers gave up before it was written', async () => {
    const recording = record();
    const abort = new AbortController();
    const writer = {
      atOnce: 1,
      classifyFault: () => 'ITEM_REFUSED' as const,
      async write(batch: Batch<Item>): Promise<string[]> {
        batch.fix();
        batch.handOver({ giveUp: () => true });
        if (batch.items.length === 2) throw new Error('bad');
        if (batch.items.length === 0) throw new Error('nobody waits for it');
        abort.abort();
        return batch.items.map(({ id }) => id);
      },
    };
    const batcher = new Batcher<Item, string>(writer, new OpenCalls('TestStore'));
    await Promise.allSettled([batcher.add({ id: 'a' }), batcher.add({ id: 'b' }, abort.signal)]);
    expect(recording.plain('batch').map(({ size, outcome }) => [size, outcome])).toEqual([
      [2, 'ITEM_REFUSED'],
      [1, 'WRITTEN'],
    ]);
  });

  it('LOCKED, and then the write that succeeds', async () => {
    const recording = record();
    let writes = 0;
    const add = openBatcher((batch) => (writes++ === 0 ? fail(batch) : begin(batch)), 'LOCKED');
    await add('a');
    expect(recording.plain('batch').map(({ outcome }) => outcome)).toEqual(['LOCKED', 'WRITTEN']);
    expect(recording.plain('store-fault')).toEqual([]);
  });

  it('that it has no verifications if the store failed before it took any', async () => {
    const recording = record();
    await openBatcher(() => Promise.reject(new Error('no connection')))('a', 'b');
    expect(recording.plain('batch')).toMatchObject([{ size: 0, outcome: 'REFUSED' }]);
    expect(recording.plain('store-fault')).toHaveLength(2);
  });
});

describe('a call of a store publishes its fault', () => {
  it('at its deadline, in milliseconds since the call', () =>
    withStoppedClock(async () => {
      const recording = record();
      const call = new OpenCalls('TestStore', 1000).run(() => new Promise(() => {}));
      vi.advanceTimersByTime(1000);
      await expect(call).rejects.toMatchObject({ code: 'STORE_FAILED' });
      expect(recording.plain('store-fault')).toEqual([
        { store: 'TestStore', code: 'STORE_FAILED', milliseconds: 1000 },
      ]);
    }));

  it('if too many calls wait already', async () => {
    const calls = new OpenCalls('TestStore');
    const open = Array.from({ length: 10_000 }, () => calls.begin<void>());
    onTestFinished(() => {
      for (const call of open) call.resolve();
    });
    const recording = record();
    expect(() => calls.begin()).toThrow('already waiting');
    expect(recording.plain('store-fault')).toMatchObject([{ code: 'STORE_FAILED' }]);
  });

  it('and nothing if it succeeds', async () => {
    const recording = record();
    await new OpenCalls('TestStore').run(async () => 1);
    expect(recording.names).toEqual([]);
  });
});
