import { describe, expect, it, vi } from 'vitest';
import type { YubikeyError } from '../../../src/errors.js';
import type { Batch, BatchWriter, WriteFault } from '../../../src/stores/batching/batch.js';
import { Batcher } from '../../../src/stores/batching/batcher.js';
import { OpenCalls } from '../../../src/stores/open-calls.js';
import { until, withStoppedClock } from '../../support/stopped-clock.js';

interface Item {
  id: string;
}

interface Write {
  batch: Batch<Item>;
  resolve(results: string[]): void;
  reject(error: unknown): void;
}

const TIMEOUT = 1_000;
const LATE = `No answer within ${TIMEOUT} ms`;
const REFUSED = new Error('refused');
const ITEM_REFUSED = new Error('a value cannot be written');

/** An engine that leaves what it does with each batch to the test. */
class Engine implements BatchWriter<Item, string> {
  readonly atOnce = 1;
  readonly #writes: Write[] = [];

  write(batch: Batch<Item>): Promise<string[]> {
    return new Promise((resolve, reject) => this.#writes.push({ batch, resolve, reject }));
  }

  classifyFault(error: unknown): WriteFault {
    if (error === ITEM_REFUSED) return 'ITEM_REFUSED';
    return error === REFUSED ? 'REFUSED' : 'UNANSWERED';
  }

  async next(): Promise<Write> {
    await until(() => this.#writes.length > 0);
    return this.#writes.shift() as Write;
  }
}

/** The calls of one batch, which their callers can give up, and what the engine does with it. */
async function startBatch(...ids: string[]) {
  const engine = new Engine();
  const batcher = new Batcher<Item, string>(engine, new OpenCalls('TestStore', TIMEOUT));
  const givingUp = new Map<string, AbortController>();
  const add = (id: string) => {
    const caller = new AbortController();
    givingUp.set(id, caller);
    return batcher.add({ id }, caller.signal).catch(({ code, cause }: YubikeyError) => {
      return `${code}: ${(cause as Error | undefined)?.message}`;
    });
  };
  const outcomes = ids.map(add);
  return {
    ...(await engine.next()),
    engine,
    add,
    outcomes: Promise.all(outcomes),
    giveUp: (id: string) => givingUp.get(id)?.abort(new Error('enough')),
  };
}

const readIds = ({ items }: Batch<Item>) => items.map(({ id }) => id);

/** The calls that another thread has begun; those given up before are noted. */
function recordClaims(begun: number[]) {
  const givenUp: number[] = [];
  const giveUp = (index: number) => {
    if (begun.includes(index)) return false;
    givenUp.push(index);
    return true;
  };
  return { giveUp, givenUp };
}

describe('a batch, before it is fixed,', () => {
  it('has no items, and takes calls that still join', async () => {
    const { batch, add, outcomes, resolve } = await startBatch('a');
    expect(batch.items).toEqual([]);
    const late = add('b');
    expect(batch.beginWrite()).toBe(true);
    expect(readIds(batch)).toEqual(['a', 'b']);
    resolve(['wrote a', 'wrote b']);
    expect(await Promise.all([outcomes, late])).toEqual([['wrote a'], 'wrote b']);
  });

  it('is not wanted once all of its callers have given up, and then does not begin', async () => {
    const { batch, outcomes, giveUp, reject } = await startBatch('a', 'b');
    giveUp('a');
    expect(batch.isWanted).toBe(true);
    giveUp('b');
    expect(batch.isWanted).toBe(false);
    expect(batch.beginWrite()).toBe(false);
    expect(batch.items).toEqual([]);
    reject(new Error('the engine stops'));
    expect(await outcomes).toEqual(['STORE_FAILED: enough', 'STORE_FAILED: enough']);
  });

  it('tells what it waits for, which is the cause of the error at the deadline', () =>
    withStoppedClock(async () => {
      const { batch, outcomes } = await startBatch('a');
      batch.waitsFor(new Error('the file is locked'));
      vi.advanceTimersByTime(TIMEOUT);
      expect(await outcomes).toEqual(['STORE_FAILED: the file is locked']);
    }));
});

describe('a batch that was fixed', () => {
  it('takes no more calls: they get the next batch', async () => {
    const { batch, engine, add, outcomes, resolve } = await startBatch('a');
    batch.fix();
    const late = add('b');
    batch.beginWrite();
    expect(readIds(batch)).toEqual(['a']);
    resolve(['wrote a']);
    expect(await outcomes).toEqual(['wrote a']);
    const next = await engine.next();
    next.batch.beginWrite();
    expect(readIds(next.batch)).toEqual(['b']);
    next.resolve(['wrote b']);
    expect(await late).toBe('wrote b');
  });

  it('loses the items whose callers give up before it begins, and never writes them', async () => {
    const { batch, outcomes, giveUp, resolve } = await startBatch('a', 'b', 'c');
    batch.fix();
    giveUp('b');
    expect(batch.beginWrite()).toBe(true);
    expect(readIds(batch)).toEqual(['a', 'c']);
    resolve(['wrote a', 'wrote c']);
    expect(await outcomes).toEqual(['wrote a', 'STORE_FAILED: enough', 'wrote c']);
  });

  it('keeps the items whose callers give up after it has begun, until the next attempt', async () => {
    const { batch, outcomes, giveUp, resolve } = await startBatch('a', 'b', 'c');
    batch.beginWrite();
    giveUp('a');
    expect(readIds(batch)).toEqual(['a', 'b', 'c']);
    expect(batch.beginWrite()).toBe(true);
    expect(readIds(batch)).toEqual(['b', 'c']);
    resolve(['wrote b', 'wrote c']);
    expect(await outcomes).toEqual(['ANSWER_LOST: enough', 'wrote b', 'wrote c']);
  });

  it('gives no verdict, and reports nothing as written, if the engine never begins it', () =>
    withStoppedClock(async () => {
      const { batch, outcomes, resolve } = await startBatch('a', 'b');
      batch.fix();
      resolve(['wrote a', 'wrote b']);
      await until(() => true);
      vi.advanceTimersByTime(TIMEOUT);
      expect(await outcomes).toEqual([`STORE_FAILED: ${LATE}`, `STORE_FAILED: ${LATE}`]);
    }));

  it('is rejected with STORE_FAILED if the engine fails before it begins', async () => {
    const { batch, outcomes, reject } = await startBatch('a', 'b');
    batch.fix();
    reject(new Error('no memory'));
    expect(await outcomes).toEqual(['STORE_FAILED: no memory', 'STORE_FAILED: no memory']);
  });
});

describe('a batch that was handed over to another thread', () => {
  it('lets each caller give up what the thread has not begun, and only that', async () => {
    const { batch, outcomes, giveUp, reject } = await startBatch('a', 'b', 'c');
    batch.fix();
    const claims = recordClaims([1]);
    batch.handOver(claims);
    giveUp('b');
    giveUp('c');
    expect(claims.givenUp).toEqual([2]);
    reject(new Error('no answer'));
    expect(await outcomes).toEqual([
      'STORE_FAILED: no answer',
      'ANSWER_LOST: enough',
      'STORE_FAILED: enough',
    ]);
  });

  it('takes from the thread what it has not begun when it gets no answer', async () => {
    const { batch, outcomes, reject } = await startBatch('a', 'b');
    batch.fix();
    const claims = recordClaims([0]);
    batch.handOver(claims);
    reject(new Error('the thread ended'));
    expect(await outcomes).toEqual(['ANSWER_LOST: the thread ended', 'STORE_FAILED: the thread ended']);
    expect(claims.givenUp, 'the thread would write it later, if it still ran').toEqual([1]);
  });

  it('does not leave to the thread what was given up between fixing and handing over', async () => {
    const { batch, outcomes, giveUp, resolve } = await startBatch('a', 'b');
    batch.fix();
    giveUp('a');
    const claims = recordClaims([]);
    batch.handOver(claims);
    expect(claims.givenUp).toEqual([0]);
    resolve(['nothing', 'wrote b']);
    expect(await outcomes).toEqual(['STORE_FAILED: enough', 'wrote b']);
  });
});

describe('a batch that was refused because of one item', () => {
  async function refuseOne(...ids: string[]) {
    const started = await startBatch(...ids);
    started.batch.beginWrite();
    started.reject(ITEM_REFUSED);
    return { ...started, half: await started.engine.next() };
  }

  it('is written again in halves, without the callers who have given up meanwhile', async () => {
    const { engine, half, outcomes, giveUp } = await refuseOne('a', 'b', 'c', 'd');
    giveUp('b');
    giveUp('c');
    half.batch.beginWrite();
    expect(readIds(half.batch)).toEqual(['a']);
    half.resolve(['wrote a']);
    const other = await engine.next();
    other.batch.beginWrite();
    expect(readIds(other.batch)).toEqual(['d']);
    other.reject(ITEM_REFUSED);
    expect(await outcomes).toEqual([
      'wrote a',
      'STORE_FAILED: enough',
      'STORE_FAILED: enough',
      `STORE_FAILED: ${ITEM_REFUSED.message}`,
    ]);
  });

  it('takes no other calls into its halves', async () => {
    const { engine, half, add, outcomes } = await refuseOne('a', 'b');
    const late = add('c');
    half.batch.beginWrite();
    expect(readIds(half.batch)).toEqual(['a']);
    half.resolve(['wrote a']);
    const other = await engine.next();
    other.batch.beginWrite();
    expect(readIds(other.batch)).toEqual(['b']);
    other.resolve(['wrote b']);
    const next = await engine.next();
    next.batch.beginWrite();
    expect(readIds(next.batch)).toEqual(['c']);
    next.resolve(['wrote c']);
    expect(await Promise.all([outcomes, late])).toEqual([['wrote a', 'wrote b'], 'wrote c']);
  });

  it('rejects a half that could not begin with STORE_FAILED, and goes on with the other', async () => {
    const { engine, half, outcomes } = await refuseOne('a', 'b');
    half.reject(new Error('no connection'));
    const other = await engine.next();
    other.batch.beginWrite();
    other.reject(new Error('no answer'));
    expect(await outcomes).toEqual(['STORE_FAILED: no connection', 'ANSWER_LOST: no answer']);
  });
});

it('a batch that was refused as a whole rejects with STORE_FAILED, also those whose write had begun', async () => {
  const { batch, outcomes, reject } = await startBatch('a', 'b');
  batch.beginWrite();
  reject(REFUSED);
  expect(await outcomes).toEqual(['STORE_FAILED: refused', 'STORE_FAILED: refused']);
});
