import { type Counters, isSameTouch } from '../../otp/counters.js';
import type { BatchWriter } from '../batching/batch.js';
import { Batcher } from '../batching/batcher.js';
import { assertAdvance, assertId } from '../checks.js';
import type { OpenCalls } from '../open-calls.js';
import { cutPage, readPageOptions } from '../records.js';
import type { Advance, CounterRecord, CounterStore, ListedCounters, Page, PageOptions } from '../store.js';
import type { AdvanceRow, AdvanceValues } from './advance-statement.js';
import { prepareReadPage, type ReadPage } from './read-page.js';
import type { FindRow, SqlRow, SqlRunner } from './sql-runner.js';
import type { Selection } from './statement.js';

const COUNTERS: Selection = `SELECT id, usage_counter, session_use, clock, nonce, accepted_at, accepted_count,
  previous_usage_counter, previous_session_use, previous_clock, previous_accepted_at FROM yubikey_counters`;

export class SqlCounterStore implements CounterStore {
  readonly #batcher: Batcher<AdvanceRow, SqlRow | undefined>;
  readonly #find: FindRow;
  readonly #readPage: ReadPage;
  readonly #calls: OpenCalls;

  constructor(sql: SqlRunner, advance: BatchWriter<AdvanceRow, SqlRow | undefined>, calls: OpenCalls) {
    this.#find = sql.prepareFind(COUNTERS);
    this.#readPage = prepareReadPage(sql, COUNTERS);
    this.#calls = calls;
    this.#batcher = new Batcher(advance, calls);
  }

  async advance(
    publicId: string,
    counters: Counters,
    nonce?: string,
    acceptedAt = new Date(),
    signal?: AbortSignal,
  ): Promise<Advance> {
    assertAdvance(publicId, counters, nonce);
    const begunAt = performance.now();
    const { usageCounter, sessionUse, timestamp } = counters;
    const values: AdvanceValues = [
      publicId,
      usageCounter,
      sessionUse,
      timestamp,
      nonce ?? null,
      acceptedAt.getTime(),
    ];
    const row = await this.#batcher.add({ id: publicId, values }, signal);
    if (row) {
      const acceptedCount = Number(row.accepted_count);
      const current = { usageCounter, sessionUse, timestamp, acceptedAt, acceptedCount };
      return { advanced: true, current, previous: toPreviousCounterRecord(row) };
    }
    if (nonce === undefined) return { advanced: false, reason: 'REPLAYED_OTP' };
    const classifyReplay = () => this.#classifyReplay(publicId, counters, nonce);
    return { advanced: false, reason: await this.#calls.run(classifyReplay, signal, begunAt) };
  }

  async get(publicId: string): Promise<CounterRecord | undefined> {
    assertId(publicId);
    const row = await this.#find(publicId);
    return row && toCounterRecord(row);
  }

  async list(options?: PageOptions): Promise<Page<ListedCounters>> {
    const { after, limit } = readPageOptions(options);
    if (after !== undefined) assertId(after);
    const rows = await this.#readPage(after, limit + 1);
    return cutPage(rows as { id: string }[], limit, toListedCounters);
  }

  /** Tells which kind of replay it is. The OTP has already been refused. */
  async #classifyReplay(
    publicId: string,
    counters: Counters,
    nonce: string,
  ): Promise<'REPLAYED_REQUEST' | 'REPLAYED_OTP'> {
    const last = await this.#find(publicId);
    const sameRequest =
      last !== undefined && nonce === last.nonce && isSameTouch(counters, toCounterRecord(last));
    return sameRequest ? 'REPLAYED_REQUEST' : 'REPLAYED_OTP';
  }
}

function toCounterRecord(row: SqlRow): CounterRecord {
  return {
    usageCounter: Number(row.usage_counter),
    sessionUse: Number(row.session_use),
    timestamp: Number(row.clock),
    acceptedAt: new Date(Number(row.accepted_at)),
    acceptedCount: Number(row.accepted_count),
  };
}

function toPreviousCounterRecord(row: SqlRow): CounterRecord | undefined {
  if (row.previous_accepted_at === null) return undefined;
  return toCounterRecord({
    usage_counter: row.previous_usage_counter,
    session_use: row.previous_session_use,
    clock: row.previous_clock,
    accepted_at: row.previous_accepted_at,
    accepted_count: Number(row.accepted_count) - 1,
  });
}

function toListedCounters(row: SqlRow): ListedCounters {
  const nonce = row.nonce === null ? undefined : String(row.nonce);
  return { publicId: String(row.id), nonce, ...toCounterRecord(row) };
}
