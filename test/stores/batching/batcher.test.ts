import { getEventListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { YubikeyError } from '../../../src/errors.js';
import type { Batch, WriteFault } from '../../../src/stores/batching/batch.js';
import { Batcher } from '../../../src/stores/batching/batcher.js';
import { OpenCalls } from '../../../src/stores/open-calls.js';
import { until, withStoppedClock } from '../../support/stopped-clock.js';

interface Item {
  id: string;
}

/** A writer that can hold, refuse or lose batches, and remembers them. */
class Writer {
  readonly batches: string[][] = [];
  readonly faultOfOne = new Error('a value cannot be written');
  /** If true, batches get no answer until they are released. */
  isHeld = false;
  isRefusing = false;
  readonly locked = new Set<string>();
  #releases: (() => void)[] = [];

  constructor(
    readonly atOnce = 1,
    readonly slowMs?: number | undefined,
  ) {}

  async write(batch: Batch<Item>): Promise<string[]> {
    batch.beginWrite();
    const ids = batch.items.map(({ id }) => id);
    this.batches.push(ids);
    if (this.isHeld) await new Promise<void>((resolve) => this.#releases.push(resolve));
    if (ids.includes('bad')) throw this.faultOfOne;
    if (ids.includes('lost')) throw new Error('no answer');
    if (this.isRefusing) throw new Error('refused');
    if (ids.some((id) => this.locked.has(id))) throw new Error('locked');
    return ids.map((id) => `wrote ${id}`);
  }

  classifyFault(error: unknown): WriteFault {
    if (error === this.faultOfOne) return 'ITEM_REFUSED';
    const { message } = error as Error;
    if (message === 'locked') return 'LOCKED';
    return message === 'refused' ? 'REFUSED' : 'UNANSWERED';
  }

  /** Answers the first `count` held batches, or all. */
  release(count = this.#releases.length): void {
    for (const release of this.#releases.splice(0, count)) release();
  }
}

function batcherOver(writer: Writer, timeout?: number) {
  const batcher = new Batcher<Item, string>(writer, new OpenCalls('TestStore', timeout));
  return (...ids: string[]) => ids.map((id) => batcher.add({ id }));
}

/** The outcome of each call: its result, or the code of the error and the message of its cause. */
const collectOutcomes = (calls: Promise<string>[]) =>
  Promise.all(
    calls.map((call) =>
      call.catch(({ code, cause }: YubikeyError) => `${code}: ${(cause as Error | undefined)?.message}`),
    ),
  );

const BAD = 'STORE_FAILED: a value cannot be written';
const LOST = 'ANSWER_LOST: no answer';

afterEach(() => {
  vi.useRealTimers();
});

describe('Batcher', () => {
  it('writes a single call in the next turn of the event loop, without waiting for a timer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval'] });
    const writer = new Writer();
    const [call] = batcherOver(writer)('a');
    await nextTurn();
    expect(await call).toBe('wrote a');
    expect(writer.batches).toEqual([['a']]);
  });

  it('writes the calls of one turn together, and gives each its own result', async () => {
    const writer = new Writer();
    const add = batcherOver(writer);
    const calls = add('b', 'a');
    queueMicrotask(() => calls.push(...add('c')));
    await nextTurn();
    expect(await collectOutcomes(calls)).toEqual(['wrote b', 'wrote a', 'wrote c']);
    expect(writer.batches).toEqual([['b', 'a', 'c']]);
  });

  it('writes calls that arrive while a batch is in flight together, as soon as it is done', async () => {
    const writer = new Writer();
    const add = batcherOver(writer);
    writer.isHeld = true;
    const calls = add('a');
    await nextTurn();
    calls.push(...add('b'));
    await nextTurn();
    calls.push(...add('c'));
    await nextTurn();
    expect(writer.batches).toEqual([['a']]);
    writer.isHeld = false;
    writer.release();
    await collectOutcomes(calls);
    expect(writer.batches).toEqual([['a'], ['b', 'c']]);
  });

  it('writes calls with the same id one after another, in order, and others meanwhile', async () => {
    const writer = new Writer(4);
    const add = batcherOver(writer);
    writer.isHeld = true;
    const calls = add('a', 'a', 'b', 'a');
    await nextTurn();
    calls.push(...add('a', 'c'));
    await nextTurn();
    expect(writer.batches).toEqual([['a', 'b'], ['c']]);
    writer.isHeld = false;
    writer.release();
    await collectOutcomes(calls);
    expect(writer.batches).toEqual([['a', 'b'], ['c'], ['a'], ['a'], ['a']]);
  });

  it('has as many batches in flight as the writer allows, each with at most 128 calls', async () => {
    const writer = new Writer(2);
    writer.isHeld = true;
    const ids = Array.from({ length: 300 }, (_, n) => `id ${n}`);
    const calls = batcherOver(writer)(...ids);
    await nextTurn();
    await nextTurn();
    await nextTurn();
    expect(writer.batches.map(({ length }) => length)).toEqual([128, 128]);
    writer.isHeld = false;
    writer.release();
    expect(await collectOutcomes(calls)).toEqual(ids.map((id) => `wrote ${id}`));
    expect(writer.batches.map(({ length }) => length)).toEqual([128, 128, 44]);
  });

  it.each([0, 1, 5, 9])('fails only the call that cannot be written, at index %i of ten', async (at) => {
    const writer = new Writer();
    const ids = Array.from({ length: 10 }, (_, n) => (n === at ? 'bad' : `id ${n}`));
    const outcomes = await collectOutcomes(batcherOver(writer)(...ids));
    expect(outcomes).toEqual(ids.map((id) => (id === 'bad' ? BAD : `wrote ${id}`)));
  });

  it('fails every call that cannot be written', async () => {
    const outcomes = await collectOutcomes(batcherOver(new Writer())('bad', 'a', 'bad', 'b'));
    expect(outcomes).toEqual([BAD, 'wrote a', BAD, 'wrote b']);
  });

  it('rejects all calls in a batch that was not acknowledged, retries none of them, and goes on', async () => {
    const writer = new Writer();
    const add = batcherOver(writer);
    expect(await collectOutcomes(add('a', 'lost', 'b'))).toEqual([LOST, LOST, LOST]);
    expect(writer.batches).toEqual([['a', 'lost', 'b']]);
    expect(await collectOutcomes(add('a', 'b', 'c'))).toEqual(['wrote a', 'wrote b', 'wrote c']);
  });

  it('without a connection, rejects the calls that waited for one, and lets later ones try', async () => {
    let attempts = 0;
    const writer = new Writer();
    const batcher = new Batcher<Item, string>(
      {
        atOnce: 1,
        classifyFault: () => 'UNANSWERED',
        write: async (batch) => {
          await nextTurn();
          if (++attempts === 1) throw new Error('no connection');
          return writer.write(batch);
        },
      },
      new OpenCalls('TestStore'),
    );
    const calls = [batcher.add({ id: 'a' })];
    await nextTurn();
    calls.push(batcher.add({ id: 'b' }));
    expect(await collectOutcomes(calls)).toEqual(['STORE_FAILED: no connection', 'wrote b']);
    expect(writer.batches).toEqual([['b']]);
  });

  it('refuses an invalid timeout, and calls beyond the limit', async () => {
    for (const timeout of [0, -1, 1.5, Number.NaN, 2 ** 31, '5s' as never]) {
      expect(() => new OpenCalls('TestStore', timeout), String(timeout)).toThrow(TypeError);
    }
    const writer = new Writer();
    writer.isHeld = true;
    const add = batcherOver(writer);
    const waiting = add(...Array.from({ length: 10_000 }, (_, n) => `id ${n}`));
    await nextTurn();
    expect(await collectOutcomes(add('one more'))).toEqual(['STORE_FAILED: undefined']);
    writer.isHeld = false;
    writer.release();
    await Promise.all(waiting);
    expect(await collectOutcomes(add('one more'))).toEqual(['wrote one more']);
    expect(writer.batches.flat().filter((id) => id === 'one more')).toHaveLength(1);
  });
});

describe('Batcher, if a batch is not answered in time,', () => {
  const TIMEOUT = 150;
  const LATE = `No answer within ${TIMEOUT} ms`;

  it('rejects calls that were sent with ANSWER_LOST, and those that wait behind them with STORE_FAILED', () =>
    withStoppedClock(async () => {
      const writer = new Writer();
      writer.isHeld = true;
      const add = batcherOver(writer, TIMEOUT);
      const calls = add('a', 'b', 'a');
      await nextTurn();
      vi.advanceTimersByTime(TIMEOUT);
      expect(await collectOutcomes(calls)).toEqual([
        `ANSWER_LOST: ${LATE}`,
        `ANSWER_LOST: ${LATE}`,
        `STORE_FAILED: ${LATE}`,
      ]);
      writer.isHeld = false;
      writer.release();
      await nextTurn();
      expect(writer.batches, 'a call that was given up is never sent').toEqual([['a', 'b']]);
    }));

  it('goes on with other ids meanwhile', async () => {
    const writer = new Writer(2, 50);
    writer.isHeld = true;
    const add = batcherOver(writer);
    const held = add('a');
    await nextTurn();
    held.push(...add('b'));
    await nextTurn();
    writer.isHeld = false;
    expect(await collectOutcomes(add('c', 'd'))).toEqual(['wrote c', 'wrote d']);
    writer.release();
    expect(await collectOutcomes(held)).toEqual(['wrote a', 'wrote b']);
  });

  it('writes its ids separately from others until a write of theirs is answered, at most two at once', () =>
    withStoppedClock(async () => {
      const writer = new Writer();
      const add = batcherOver(writer, TIMEOUT);
      expect(await collectOutcomes(add('lost', 'a', 'b', 'c'))).toEqual([LOST, LOST, LOST, LOST]);
      writer.isHeld = true;
      const apart = add('a', 'b', 'c');
      await nextTurn();
      await nextTurn();
      expect(writer.batches.slice(1), 'two of them, each alone').toEqual([['a'], ['b']]);
      const others = add('d', 'e');
      await nextTurn();
      expect(writer.batches.slice(3)).toEqual([['d', 'e']]);
      writer.isHeld = false;
      writer.release();
      expect(await collectOutcomes([...apart, ...others])).toEqual(
        ['a', 'b', 'c', 'd', 'e'].map((id) => `wrote ${id}`),
      );
      await collectOutcomes(add('a', 'b', 'c', 'd'));
      expect(writer.batches.at(-1), 'once answered, they are written with others again').toEqual([
        'a',
        'b',
        'c',
        'd',
      ]);
    }));

  it('retries each call alone if one of them is locked, and the locked one until it is free or times out', () =>
    withStoppedClock(async () => {
      const writer = new Writer();
      writer.locked.add('b');
      const add = batcherOver(writer, TIMEOUT);
      const sendings = () => writer.batches.flat().filter((id) => id === 'b').length;
      const [a, b, c] = add('a', 'b', 'c') as [Promise<string>, Promise<string>, Promise<string>];
      const late = collectOutcomes([b, ...add('b')]);
      expect(await collectOutcomes([a, c])).toEqual(['wrote a', 'wrote c']);
      await until(() => sendings() > 2);
      vi.advanceTimersByTime(TIMEOUT);
      expect(await late).toEqual(['STORE_FAILED: locked', `STORE_FAILED: ${LATE}`]);
      const again = add('b', 'b');
      await nextTurn();
      writer.locked.clear();
      expect(await collectOutcomes(again)).toEqual(['wrote b', 'wrote b']);
    }));

  it('counts a refusal by the database as an answer', async () => {
    const writer = new Writer();
    const add = batcherOver(writer);
    await collectOutcomes(add('lost', 'a'));
    writer.isRefusing = true;
    expect(await collectOutcomes(add('a'))).toEqual(['STORE_FAILED: refused']);
    writer.isRefusing = false;
    await collectOutcomes(add('a', 'b'));
    expect(writer.batches.at(-1)).toEqual(['a', 'b']);
  });

  it('rejects with the same two codes on abort, while the other calls of the batch go on waiting', async () => {
    const writer = new Writer();
    writer.isHeld = true;
    const batcher = new Batcher<Item, string>(writer, new OpenCalls('TestStore'));
    const [sent, waiting] = [new AbortController(), new AbortController()];
    const ended = collectOutcomes([
      batcher.add({ id: 'a' }, sent.signal),
      batcher.add({ id: 'a' }, waiting.signal),
      batcher.add({ id: 'c' }, AbortSignal.abort(new Error('before'))),
    ]);
    const other = batcher.add({ id: 'b' });
    await nextTurn();
    sent.abort(new Error('enough'));
    waiting.abort(new Error('enough'));
    expect(await ended).toEqual(['ANSWER_LOST: enough', 'STORE_FAILED: enough', 'STORE_FAILED: before']);
    writer.isHeld = false;
    writer.release();
    expect(await other).toBe('wrote b');
    await nextTurn();
    expect(writer.batches).toEqual([['a', 'b']]);
  });

  it.each([new AbortController(), {}, 'signal'])(
    'refuses %o as a signal, and starts no timer',
    async (signal) => {
      const batcher = new Batcher<Item, string>(new Writer(), new OpenCalls('TestStore'));
      const before = process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length;
      await expect(batcher.add({ id: 'a' }, signal as AbortSignal)).rejects.toThrow(
        new TypeError('signal must be an AbortSignal, such as the signal of an AbortController'),
      );
      expect(process.getActiveResourcesInfo().filter((type) => type === 'Timeout')).toHaveLength(before);
    },
  );

  it('leaves no timer and no listener behind once all calls are answered', async () => {
    const writer = new Writer();
    const { signal } = new AbortController();
    const batcher = new Batcher<Item, string>(writer, new OpenCalls('TestStore'));
    const before = process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length;
    await Promise.all(['a', 'b', 'c'].map((id) => batcher.add({ id }, signal)));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(process.getActiveResourcesInfo().filter((type) => type === 'Timeout')).toHaveLength(before);
  });
});
