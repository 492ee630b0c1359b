import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Batcher } from '../../src/stores/batch.js';

interface Item {
  id: string;
}

/** Writes when it is told to, and remembers what. */
class Writer {
  readonly batches: string[][] = [];
  readonly faultOfOne = new Error('a value cannot be written');
  isHeld = false;
  private releases: (() => void)[] = [];

  constructor(readonly atOnce = 1) {}

  async write(take: () => readonly Item[]): Promise<string[]> {
    const ids = take().map(({ id }) => id);
    this.batches.push(ids);
    if (this.isHeld) await new Promise<void>((resolve) => this.releases.push(resolve));
    if (ids.includes('bad')) throw this.faultOfOne;
    if (ids.includes('lost')) throw new Error('no answer');
    return ids.map((id) => `wrote ${id}`);
  }

  isFaultOfOne(error: unknown): boolean {
    return error === this.faultOfOne;
  }

  release(): void {
    for (const release of this.releases.splice(0)) release();
  }
}

function batcherOver(writer: Writer) {
  const batcher = new Batcher<Item, string>(writer);
  return (...ids: string[]) => ids.map((id) => batcher.add({ id }));
}

const outcomesOf = (calls: Promise<string>[]) =>
  Promise.all(calls.map((call) => call.catch((error: Error) => error.message)));

afterEach(() => {
  vi.useRealTimers();
});

describe('Batcher', () => {
  it('writes a lone call in the next turn of the event loop, and waits for no timer', async () => {
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
    expect(await outcomesOf(calls)).toEqual(['wrote b', 'wrote a', 'wrote c']);
    expect(writer.batches).toEqual([['b', 'a', 'c']]);
  });

  it('writes what comes while a batch is on its way together, as soon as that is done', async () => {
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
    await outcomesOf(calls);
    expect(writer.batches).toEqual([['a'], ['b', 'c']]);
  });

  it('writes calls with one id one after another, in their order, and others meanwhile', async () => {
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
    await outcomesOf(calls);
    expect(writer.batches).toEqual([['a', 'b'], ['c'], ['a'], ['a'], ['a']]);
  });

  it('has as many batches on their way as the writer may, of 128 at most', async () => {
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
    expect(await outcomesOf(calls)).toEqual(ids.map((id) => `wrote ${id}`));
    expect(writer.batches.map(({ length }) => length)).toEqual([128, 128, 44]);
  });

  it.each([0, 1, 5, 9])('lets one that cannot be written fail alone, as number %i of ten', async (at) => {
    const writer = new Writer();
    const ids = Array.from({ length: 10 }, (_, n) => (n === at ? 'bad' : `id ${n}`));
    const outcomes = await outcomesOf(batcherOver(writer)(...ids));
    expect(outcomes).toEqual(ids.map((id) => (id === 'bad' ? 'a value cannot be written' : `wrote ${id}`)));
  });

  it('lets all that cannot be written fail', async () => {
    const outcomes = await outcomesOf(batcherOver(new Writer())('bad', 'a', 'bad', 'b'));
    expect(outcomes).toEqual([
      'a value cannot be written',
      'wrote a',
      'a value cannot be written',
      'wrote b',
    ]);
  });

  it('rejects all in a batch that was not acknowledged, writes none of them again, and goes on', async () => {
    const writer = new Writer();
    const add = batcherOver(writer);
    expect(await outcomesOf(add('a', 'lost', 'b'))).toEqual(['no answer', 'no answer', 'no answer']);
    expect(writer.batches).toEqual([['a', 'lost', 'b']]);
    expect(await outcomesOf(add('a', 'b'))).toEqual(['wrote a', 'wrote b']);
  });

  it('where nothing could be begun, rejects those that waited that long, and lets later ones try', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const waits: number[] = [];
    const batcher = new Batcher<Item, string>({
      atOnce: 1,
      isFaultOfOne: () => false,
      write: async (take, since) => {
        waits.push(Date.now() - since);
        await nextTurn();
        if (waits.length === 1) throw new Error('could not begin');
        return take().map(({ id }) => `wrote ${id}`);
      },
    });
    const calls = [batcher.add({ id: 'a' })];
    vi.setSystemTime(Date.now() + 100);
    calls.push(batcher.add({ id: 'b' }));
    expect(await outcomesOf(calls)).toEqual(['could not begin', 'wrote b']);
    expect(waits).toEqual([100, 0]);
  });
});
