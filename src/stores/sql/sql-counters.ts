import { type Counters, isSameTouch } from '../../otp/counters.js';
import { Batcher } from '../batch.js';
import type { BatchWriter } from '../batch-writer.js';
import type { Calls } from '../calls.js';
import { assertAdvance, assertId } from '../checks.js';
import { cutPage, readPageOptions } from '../records.js';
import type { Advance, CounterRecord, CounterStore, ListedCounters, Page, PageOptions } from '../store.js';
import type { SqlRow, SqlRunner, SqlValue } from './sql-runner.js';

const COUNTER_COLUMNS = `id, usage_counter, session_use, clock, nonce, accepted_at, accepted_count,
  previous_usage_counter, previous_session_use, previous_clock, previous_accepted_at`;
const SELECT_COUNTERS = `SELECT ${COUNTER_COLUMNS} FROM yubikey_counters`;
const GET_COUNTERS = `${SELECT_COUNTERS} WHERE id = ?`;
const FIRST_COUNTERS = `${SELECT_COUNTERS} ORDER BY id LIMIT ?`;
const NEXT_COUNTERS = `${SELECT_COUNTERS} WHERE id > ? ORDER BY id LIMIT ?`;
const INSERT_COUNTERS = `INSERT INTO yubikey_counters AS last
    (id, usage_counter, session_use, clock, nonce, accepted_at, accepted_count)`;
const UNLESS_REPLAYED = `ON CONFLICT (id) DO UPDATE SET
    previous_usage_counter = last.usage_counter,
    previous_session_use = last.session_use,
    previous_clock = last.clock,
    previous_accepted_at = last.accepted_at,
    usage_counter = excluded.usage_counter,
    session_use = excluded.session_use,
    clock = excluded.clock,
    nonce = excluded.nonce,
    accepted_at = excluded.accepted_at,
    accepted_count = last.accepted_count + 1
  WHERE (excluded.usage_counter, excluded.session_use) > (last.usage_counter, last.session_use)
  RETURNING id, accepted_count,
    previous_usage_counter, previous_session_use, previous_clock, previous_accepted_at`;

/**
 * Set in the statement itself, and for it alone: a row that another transaction locks must not delay other rows for long,
 * nor may this statement keep locks after its callers have given up.
 */
const LOCK_TIMEOUT = `(SELECT set_config('lock_timeout', '500ms', true)) IS NOT NULL`;

/** Advances one public ID in PostgreSQL, with the values of an {@link AdvanceRow}. */
export const ADVANCE_ONE = `${INSERT_COUNTERS}
  SELECT ?::text, ?::integer, ?::integer, ?::integer, ?::text, ?::bigint, 1 WHERE ${LOCK_TIMEOUT}
  ${UNLESS_REPLAYED}`;

/**
 * Advances many different public IDs, with an array for each column. All processes lock the rows in the same order, so
 * that they cannot deadlock.
 */
export const ADVANCE_MANY = `${INSERT_COUNTERS}
  SELECT *, 1 FROM unnest(?::text[], ?::integer[], ?::integer[], ?::integer[], ?::text[], ?::bigint[]) AS new (id)
  WHERE ${LOCK_TIMEOUT}
  ORDER BY new.id COLLATE "C"
  ${UNLESS_REPLAYED}`;

/** Advances many in SQLite, given one JSON array of arrays: binding the values one by one would cost more than the write. */
export const ADVANCE_MANY_JSON = `${INSERT_COUNTERS}
  SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, 1 FROM json_each(?) WHERE true
  ${UNLESS_REPLAYED}`;

/** The row that one call of `advance` writes, with its values in the order of {@link ADVANCE_ONE}. */
export interface AdvanceRow {
  readonly id: string;
  readonly values: readonly SqlValue[];
}

export class SqlCounterStore implements CounterStore {
  readonly #batcher: Batcher<AdvanceRow, SqlRow | undefined>;
  readonly #sql: SqlRunner;
  readonly #calls: Calls;

  constructor(sql: SqlRunner, advance: BatchWriter<AdvanceRow, SqlRow | undefined>, calls: Calls) {
    this.#sql = sql;
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
    const values = [publicId, usageCounter, sessionUse, timestamp, nonce ?? null, acceptedAt.getTime()];
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
    const row = await this.#sql.find(GET_COUNTERS, publicId);
    return row && toCounterRecord(row);
  }

  async list(options?: PageOptions): Promise<Page<ListedCounters>> {
    const { after, limit } = readPageOptions(options);
    if (after !== undefined) assertId(after);
    const rows = await (after === undefined
      ? this.#sql.run(FIRST_COUNTERS, [limit + 1])
      : this.#sql.run(NEXT_COUNTERS, [after, limit + 1]));
    return cutPage(rows as { id: string }[], limit, toListedCounters);
  }

  /** Tells which kind of replay it is. The OTP has already been refused. */
  async #classifyReplay(
    publicId: string,
    counters: Counters,
    nonce: string,
  ): Promise<'REPLAYED_REQUEST' | 'REPLAYED_OTP'> {
    const last = await this.#sql.find(GET_COUNTERS, publicId);
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
