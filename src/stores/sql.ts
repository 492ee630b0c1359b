import { randomUUID } from 'node:crypto';
import { type Counters, isSameTouch } from '../otp/counters.js';
import { assertCounters, assertNewKey } from './assert.js';
import type { Advance, CounterRecord, CounterStore, KeyPage, KeyRecord, KeyStore, NewKey } from './store.js';

export type SqlValue = string | number | null | Uint8Array;
export type SqlRow = Record<string, unknown>;

/** Runs one statement, with `?` for its parameters, in a transaction of its own: durable once it resolves. */
export type RunSql = (sql: string, parameters: readonly SqlValue[]) => Promise<SqlRow[]>;

/**
 * What each schema version adds. Types are PostgreSQL's, which SQLite takes as they are. Times are milliseconds
 * since 1970. A row of counters also keeps what it replaced, so that one statement can tell both.
 */
export const MIGRATIONS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE yubikey_keys (
       public_id TEXT PRIMARY KEY,
       aes_key BYTEA NOT NULL,
       private_id BYTEA,
       notes TEXT NOT NULL,
       active INTEGER NOT NULL,
       created_at BIGINT NOT NULL,
       revision TEXT NOT NULL
     )`,
    `CREATE TABLE yubikey_counters (
       public_id TEXT PRIMARY KEY,
       usage_counter INTEGER NOT NULL,
       session_use INTEGER NOT NULL,
       clock INTEGER NOT NULL,
       nonce TEXT,
       accepted_at BIGINT NOT NULL,
       accepted_count BIGINT NOT NULL,
       previous_usage_counter INTEGER,
       previous_session_use INTEGER,
       previous_clock INTEGER,
       previous_accepted_at BIGINT
     )`,
  ],
];

const KEY_COLUMNS = 'public_id, aes_key, private_id, notes, active, created_at, revision';

const GET_KEY = `SELECT ${KEY_COLUMNS} FROM yubikey_keys WHERE public_id = ?`;
const ADD_KEY = `INSERT INTO yubikey_keys (${KEY_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (public_id) DO NOTHING RETURNING public_id`;
const REPLACE_KEY = `UPDATE yubikey_keys SET aes_key = ?, private_id = ?, notes = ?, active = ?, revision = ?
  WHERE public_id = ? AND revision = ? RETURNING public_id`;
const DELETE_KEY = 'DELETE FROM yubikey_keys WHERE public_id = ? RETURNING public_id';
const FIRST_KEYS = `SELECT ${KEY_COLUMNS} FROM yubikey_keys ORDER BY public_id LIMIT ?`;
const NEXT_KEYS = `SELECT ${KEY_COLUMNS} FROM yubikey_keys WHERE public_id > ? ORDER BY public_id LIMIT ?`;

const COUNTER_COLUMNS = `public_id, usage_counter, session_use, clock, nonce, accepted_at, accepted_count,
  previous_usage_counter, previous_session_use, previous_clock, previous_accepted_at`;

const GET_COUNTERS = `SELECT ${COUNTER_COLUMNS} FROM yubikey_counters WHERE public_id = ?`;
const ADVANCE = `INSERT INTO yubikey_counters AS last
    (public_id, usage_counter, session_use, clock, nonce, accepted_at, accepted_count)
  VALUES (?, ?, ?, ?, ?, ?, 1)
  ON CONFLICT (public_id) DO UPDATE SET
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
  RETURNING ${COUNTER_COLUMNS}`;

/** Keys in any database that speaks the SQL of SQLite and PostgreSQL. */
export class SqlKeyStore implements KeyStore {
  constructor(private readonly run: RunSql) {}

  async get(publicId: string): Promise<KeyRecord | undefined> {
    const [row] = await this.run(GET_KEY, [publicId]);
    return row && keyRecord(row);
  }

  async add(key: NewKey): Promise<boolean> {
    assertNewKey(key);
    const rows = await this.run(ADD_KEY, [
      key.publicId,
      key.aesKey,
      key.privateId ?? null,
      key.notes ?? '',
      Number(key.active ?? true),
      Date.now(),
      randomUUID(),
    ]);
    return rows.length === 1;
  }

  async replace(expected: KeyRecord, change: Partial<Omit<NewKey, 'publicId'>>): Promise<boolean> {
    const next = { ...expected, ...change };
    assertNewKey(next);
    const rows = await this.run(REPLACE_KEY, [
      next.aesKey,
      next.privateId ?? null,
      next.notes ?? expected.notes,
      Number(next.active ?? expected.active),
      randomUUID(),
      expected.publicId,
      expected.revision,
    ]);
    return rows.length === 1;
  }

  async list({ after, limit = 100 }: { after?: string; limit?: number } = {}): Promise<KeyPage> {
    const rows =
      after === undefined
        ? await this.run(FIRST_KEYS, [limit + 1])
        : await this.run(NEXT_KEYS, [after, limit + 1]);
    const keys = rows.slice(0, limit).map(keyRecord);
    return { keys, next: rows.length > limit ? keys.at(-1)?.publicId : undefined };
  }

  async delete(publicId: string): Promise<boolean> {
    return (await this.run(DELETE_KEY, [publicId])).length === 1;
  }
}

/** Counters in any database that speaks the SQL of SQLite and PostgreSQL. */
export class SqlCounterStore implements CounterStore {
  constructor(private readonly run: RunSql) {}

  async advance(publicId: string, counters: Counters, nonce?: string): Promise<Advance> {
    assertCounters(counters);
    const { usageCounter, sessionUse, timestamp } = counters;
    const [row] = await this.run(ADVANCE, [
      publicId,
      usageCounter,
      sessionUse,
      timestamp,
      nonce ?? null,
      Date.now(),
    ]);
    if (row) return { advanced: true, current: counterRecord(row), previous: previousCounterRecord(row) };
    return { advanced: false, reason: await this.replayOf(publicId, counters, nonce) };
  }

  async get(publicId: string): Promise<CounterRecord | undefined> {
    const [row] = await this.run(GET_COUNTERS, [publicId]);
    return row && counterRecord(row);
  }

  /** The OTP is refused already; this only tells which refusal it is. */
  private async replayOf(publicId: string, counters: Counters, nonce: string | undefined) {
    const [last] = await this.run(GET_COUNTERS, [publicId]);
    const sameRequest =
      last !== undefined &&
      nonce !== undefined &&
      nonce === last.nonce &&
      isSameTouch(counters, counterRecord(last));
    return sameRequest ? 'REPLAYED_REQUEST' : 'REPLAYED_OTP';
  }
}

function keyRecord(row: SqlRow): KeyRecord {
  return {
    publicId: String(row.public_id),
    aesKey: bytesOf(row.aes_key),
    privateId: row.private_id === null ? undefined : bytesOf(row.private_id),
    notes: String(row.notes),
    active: Number(row.active) === 1,
    createdAt: new Date(Number(row.created_at)),
    revision: String(row.revision),
  };
}

/** libsql answers an ArrayBuffer, the other drivers a view. */
function bytesOf(blob: unknown): Uint8Array {
  return blob instanceof ArrayBuffer ? new Uint8Array(blob) : (blob as Uint8Array);
}

function counterRecord(row: SqlRow): CounterRecord {
  return {
    usageCounter: Number(row.usage_counter),
    sessionUse: Number(row.session_use),
    timestamp: Number(row.clock),
    acceptedAt: new Date(Number(row.accepted_at)),
    acceptedCount: Number(row.accepted_count),
  };
}

function previousCounterRecord(row: SqlRow): CounterRecord | undefined {
  if (row.previous_accepted_at === null) return undefined;
  return counterRecord({
    usage_counter: row.previous_usage_counter,
    session_use: row.previous_session_use,
    clock: row.previous_clock,
    accepted_at: row.previous_accepted_at,
    accepted_count: Number(row.accepted_count) - 1,
  });
}
