import { YubikeyError } from '../errors.js';
import { type Counters, isSameTouch } from '../otp/counters.js';
import { assertCounters } from './assert-counters.js';
import { CLIENT, pageOf, type RecordKind, Records, type Row, type RowTable, YUBIKEY } from './records.js';
import type {
  Advance,
  ClientStore,
  CounterRecord,
  CounterStore,
  KeyStore,
  ListedCounters,
  Page,
  PageOptions,
} from './store.js';

export type SqlValue = string | number | null | Uint8Array;
export type SqlRow = Record<string, unknown>;

/** Runs one statement, with `?` for its parameters, in a transaction of its own: durable once it resolves. */
export type RunSql = (sql: string, parameters: readonly SqlValue[]) => Promise<SqlRow[]>;

/** The table that holds the schema's version; the only one that is not made by {@link MIGRATIONS}. */
export const SCHEMA_TABLE = 'CREATE TABLE IF NOT EXISTS yubikey_schema (version INTEGER NOT NULL)';
export const SCHEMA_VERSION = 'SELECT max(version) AS version FROM yubikey_schema';

/**
 * What each schema version adds. Types are PostgreSQL's, which SQLite takes as they are. Times are milliseconds
 * since 1970. A row of counters also keeps what it replaced, so that one statement can tell both.
 */
const MIGRATIONS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE yubikey_keys (
       id TEXT PRIMARY KEY,
       aes_key BYTEA NOT NULL,
       private_id BYTEA,
       notes TEXT NOT NULL,
       active INTEGER NOT NULL,
       created_at BIGINT NOT NULL,
       revision TEXT NOT NULL
     )`,
    `CREATE TABLE yubikey_clients (
       id TEXT PRIMARY KEY,
       api_key BYTEA NOT NULL,
       notes TEXT NOT NULL,
       active INTEGER NOT NULL,
       created_at BIGINT NOT NULL,
       revision TEXT NOT NULL
     )`,
    `CREATE TABLE yubikey_counters (
       id TEXT PRIMARY KEY,
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

/**
 * The statements that bring a schema up to date, from the row that {@link SCHEMA_VERSION} gives.
 *
 * @throws YubikeyError `STORE_NOT_MIGRATED` for a schema that is newer than this code.
 */
export function migrationsFrom(row: SqlRow | undefined): readonly string[] {
  const version = Number(row?.version ?? 0);
  const known = MIGRATIONS.length;
  if (version > known) {
    const message = `The schema of this database has version ${version}, and this package knows versions to ${known}: update passport-yubikey-otp`;
    throw new YubikeyError('STORE_NOT_MIGRATED', message);
  }
  if (version === known) return [];
  return [...MIGRATIONS.slice(version).flat(), `INSERT INTO yubikey_schema (version) VALUES (${known})`];
}

/** The three stores in any database that speaks the SQL of SQLite and PostgreSQL. */
export function sqlStores(run: RunSql): { keys: KeyStore; clients: ClientStore; counters: CounterStore } {
  return {
    keys: new Records(YUBIKEY, new SqlTable('yubikey_keys', YUBIKEY, run)),
    clients: new Records(CLIENT, new SqlTable('yubikey_clients', CLIENT, run)),
    counters: new SqlCounterStore(run),
  };
}

class SqlTable implements RowTable {
  private readonly secretNames: readonly string[];
  private readonly statements: Record<'get' | 'add' | 'replace' | 'delete' | 'first' | 'next', string>;

  constructor(
    table: string,
    { secretNames }: Pick<RecordKind<unknown, unknown>, 'secretNames'>,
    private readonly run: RunSql,
  ) {
    this.secretNames = secretNames;
    const changing = [...secretNames, 'notes', 'active', 'revision'];
    const columns = ['id', ...changing, 'created_at'];
    const select = `SELECT ${columns.join(', ')} FROM ${table}`;
    this.statements = {
      get: `${select} WHERE id = ?`,
      add: `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})
        ON CONFLICT (id) DO NOTHING RETURNING id`,
      replace: `UPDATE ${table} SET ${changing.map((column) => `${column} = ?`).join(', ')}
        WHERE id = ? AND revision = ? RETURNING id`,
      delete: `DELETE FROM ${table} WHERE id = ? RETURNING id`,
      first: `${select} ORDER BY id LIMIT ?`,
      next: `${select} WHERE id > ? ORDER BY id LIMIT ?`,
    };
  }

  async get(id: string): Promise<Row | undefined> {
    const [row] = await this.run(this.statements.get, [id]);
    return row && this.rowOf(row);
  }

  async add(row: Row): Promise<boolean> {
    const values = [row.id, ...this.changing(row), row.createdAt.getTime()];
    return (await this.run(this.statements.add, values)).length === 1;
  }

  async replace(row: Row, revision: string): Promise<boolean> {
    return (await this.run(this.statements.replace, [...this.changing(row), row.id, revision])).length === 1;
  }

  async list(after: string | undefined, limit: number): Promise<Row[]> {
    const { first, next } = this.statements;
    const rows = await (after === undefined ? this.run(first, [limit]) : this.run(next, [after, limit]));
    return rows.map((row) => this.rowOf(row));
  }

  async delete(id: string): Promise<boolean> {
    return (await this.run(this.statements.delete, [id])).length === 1;
  }

  private changing({ secrets, notes, active, revision }: Row): SqlValue[] {
    return [...secrets.map((secret) => secret ?? null), notes, Number(active), revision];
  }

  private rowOf(row: SqlRow): Row {
    return {
      id: String(row.id),
      secrets: this.secretNames.map((name) => (row[name] === null ? undefined : bytesOf(row[name]))),
      notes: String(row.notes),
      active: Number(row.active) === 1,
      createdAt: new Date(Number(row.created_at)),
      revision: String(row.revision),
    };
  }
}

const COUNTER_COLUMNS = `id, usage_counter, session_use, clock, nonce, accepted_at, accepted_count,
  previous_usage_counter, previous_session_use, previous_clock, previous_accepted_at`;
const SELECT_COUNTERS = `SELECT ${COUNTER_COLUMNS} FROM yubikey_counters`;
const GET_COUNTERS = `${SELECT_COUNTERS} WHERE id = ?`;
const FIRST_COUNTERS = `${SELECT_COUNTERS} ORDER BY id LIMIT ?`;
const NEXT_COUNTERS = `${SELECT_COUNTERS} WHERE id > ? ORDER BY id LIMIT ?`;
const ADVANCE = `INSERT INTO yubikey_counters AS last
    (id, usage_counter, session_use, clock, nonce, accepted_at, accepted_count)
  VALUES (?, ?, ?, ?, ?, ?, 1)
  ON CONFLICT (id) DO UPDATE SET
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

class SqlCounterStore implements CounterStore {
  constructor(private readonly run: RunSql) {}

  async advance(
    publicId: string,
    counters: Counters,
    nonce?: string,
    acceptedAt = new Date(),
  ): Promise<Advance> {
    assertCounters(counters);
    const { usageCounter, sessionUse, timestamp } = counters;
    const values = [publicId, usageCounter, sessionUse, timestamp, nonce ?? null, acceptedAt.getTime()];
    const [row] = await this.run(ADVANCE, values);
    if (row) return { advanced: true, current: counterRecord(row), previous: previousCounterRecord(row) };
    return { advanced: false, reason: await this.replayOf(publicId, counters, nonce) };
  }

  async get(publicId: string): Promise<CounterRecord | undefined> {
    const [row] = await this.run(GET_COUNTERS, [publicId]);
    return row && counterRecord(row);
  }

  async list({ after, limit = 100 }: PageOptions = {}): Promise<Page<ListedCounters>> {
    const rows = await (after === undefined
      ? this.run(FIRST_COUNTERS, [limit + 1])
      : this.run(NEXT_COUNTERS, [after, limit + 1]));
    return pageOf(rows as { id: string }[], limit, listedCounters);
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

function listedCounters(row: SqlRow): ListedCounters {
  const nonce = row.nonce === null ? undefined : String(row.nonce);
  return { publicId: String(row.id), nonce, ...counterRecord(row) };
}
