import { YubikeyError } from '../errors.js';
import type { BatchWriter } from './batch.js';
import {
  ADVANCE_MANY,
  ADVANCE_ONE,
  type AdvanceRow,
  Finder,
  migrationsFrom,
  ofMany,
  type RunSql,
  SCHEMA_TABLE,
  SCHEMA_VERSION,
  type SqlRow,
  sqlStores,
} from './sql.js';
import type { ClientStore, CounterStore, Durability, KeyStore } from './store.js';

/** A `Pool` of `pg`, or what acts like one. */
export interface PostgresPool {
  connect(callback: (error: Error | undefined, client: PostgresClient | undefined) => void): void;
}

export interface PostgresClient {
  query(sql: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  /** With `true`, the connection is closed instead of being used again. */
  release(destroy?: boolean): void;
  /** How `pg` says that a connection broke, besides rejecting the query: unheard, it would end the process. */
  on?(event: 'error', listener: () => void): unknown;
  removeListener?(event: 'error', listener: () => void): unknown;
}

export interface PostgresStoreOptions {
  /** It stays yours: end it when you are done, and listen to its `error` events. */
  pool: PostgresPool;
  /** Goes on where the server does not sync its log (`fsync=off`). Default false. */
  allowReplayAfterCrash?: boolean | undefined;
}

/** Names the lock that migrations of several instances wait for: any number that nobody else uses. */
const MIGRATION_LOCK = 7_982_356_411;
/** Serialization failure and deadlock: PostgreSQL has rolled back, so nothing was written. */
const ROLLED_BACK = ['40001', '40P01'];
const MAX_TRIES = 5;
/** Data exceptions, broken constraints and what triggers raise, by the first two characters of SQLSTATE. */
const FAULTS_OF_ROW = ['22', '23', 'P0'];
/** Batches on their way, each over a connection: the server syncs what comes together at once. */
const BATCHES_AT_ONCE = 2;

/**
 * Keys, clients and counters in PostgreSQL, for any number of instances of an application.
 *
 * Every write is on disk before it resolves: each connection is set to `synchronous_commit=on` (unless it waits
 * for more), and that and the server's `fsync` are read back. Do not turn it off on connections of the same pool,
 * and do not put a pooler between that gives one connection's settings to another (PgBouncer's transaction mode).
 * Verifications that come together share one statement. Call {@link migrate} once at every start.
 */
export class PostgresStore {
  readonly keys: KeyStore;
  readonly clients: ClientStore;
  readonly counters: CounterStore;
  private readonly pool: PostgresPool;
  private readonly allowReplayAfterCrash: boolean;
  private readonly durableClients = new WeakSet<PostgresClient>();
  private migrated = false;

  /** @throws TypeError without a pool. */
  constructor({ pool, allowReplayAfterCrash = false }: PostgresStoreOptions) {
    if (typeof pool?.connect !== 'function') throw new TypeError('PostgresStore requires pool: a Pool of pg');
    this.pool = pool;
    this.allowReplayAfterCrash = allowReplayAfterCrash;
    const advance: BatchWriter<AdvanceRow, SqlRow | undefined> = {
      write: (take) => this.advance(take()),
      isFaultOfOne: isFaultOfRow,
      atOnce: BATCHES_AT_ONCE,
    };
    const run: RunSql = (sql, values) => this.run(sql, values);
    const finder = new Finder((sql, ids) => this.findAll(sql, ids));
    const { keys, clients, counters } = sqlStores(run, advance, (sql, id) => finder.find(sql, id));
    this.keys = keys;
    this.clients = clients;
    this.counters = counters;
  }

  /**
   * Brings the tables up to date; safe to call again, and from several instances at once.
   *
   * @throws YubikeyError `STORE_NOT_DURABLE` when the server does not sync its log, `STORE_NOT_MIGRATED` when the
   * schema is newer than this version of the package.
   */
  async migrate(): Promise<Durability> {
    const durability = await this.withClient(async (client) => {
      const [row] = (await client.query("SELECT current_setting('fsync') AS fsync")).rows as SqlRow[];
      const isSynced = row?.fsync === 'on';
      if (!isSynced && !this.allowReplayAfterCrash) {
        throw new YubikeyError(
          'STORE_NOT_DURABLE',
          'This PostgreSQL server runs with fsync=off: after a crash, OTPs could be accepted again. Set fsync=on',
        );
      }
      await bringUpToDate(client);
      return { durable: isSynced, statement: isSynced ? DURABLE : NOT_DURABLE };
    });
    this.migrated = true;
    return durability;
  }

  private async advance(batch: readonly AdvanceRow[]): Promise<(SqlRow | undefined)[]> {
    const advanced = new Map((await this.write(batch)).map((row) => [row.id, row]));
    return batch.map(({ id }) => advanced.get(id));
  }

  /** One row is planned faster where there is nothing to put in order. */
  private write(batch: readonly AdvanceRow[]): Promise<SqlRow[]> {
    const [first, second] = batch;
    if (first && !second) return this.run(ADVANCE_ONE, first.values);
    const columns = first?.values.map((_, column) => batch.map(({ values }) => values[column])) ?? [];
    return this.run(ADVANCE_MANY, columns);
  }

  /** The row of each id, in their order. */
  private async findAll(sql: string, ids: readonly string[]): Promise<(SqlRow | undefined)[]> {
    if (ids.length === 1) return [(await this.run(sql, ids))[0]];
    const found = new Map((await this.run(ofMany(sql), [ids])).map((row) => [row.id, row]));
    return ids.map((id) => found.get(id));
  }

  private async run(sql: string, values: readonly unknown[]): Promise<SqlRow[]> {
    if (!this.migrated)
      throw new YubikeyError('STORE_NOT_MIGRATED', 'Call migrate() before using PostgresStore');
    const text = numbered(sql);
    for (let tries = 1; ; tries++) {
      try {
        return await this.withClient(
          async (client) => (await client.query(text, [...values])).rows as SqlRow[],
        );
      } catch (error) {
        if (tries === MAX_TRIES || !ROLLED_BACK.includes(sqlStateOf(error))) throw error;
      }
    }
  }

  private async withClient<T>(work: (client: PostgresClient) => Promise<T>): Promise<T> {
    const client = await this.connect();
    let failed = true;
    try {
      if (!this.durableClients.has(client)) await makeDurable(client);
      this.durableClients.add(client);
      const result = await work(client);
      failed = false;
      return result;
    } finally {
      client.removeListener?.('error', ignore);
      client.release(failed);
    }
  }

  /** With a callback, since a connection may break before a promise of it has been heard. */
  private connect(): Promise<PostgresClient> {
    return new Promise((resolve, reject) => {
      this.pool.connect((error, client) => {
        client?.on?.('error', ignore);
        if (client) resolve(client);
        else reject(error);
      });
    });
  }
}

function sqlStateOf(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code);
}

/** The server refused a value, so it has rolled back. */
function isFaultOfRow(error: unknown): boolean {
  return FAULTS_OF_ROW.includes(sqlStateOf(error).slice(0, 2));
}

/** The query rejects with the same error. */
function ignore(): void {}

const DURABLE =
  'PostgreSQL with fsync=on and synchronous_commit=on: an accepted OTP is on disk before it is answered';
const NOT_DURABLE =
  'PostgreSQL with fsync=off: after a crash of the machine, OTPs that were accepted may be accepted again';

/** `remote_apply` waits for more than `on`; all others may lose what was answered. */
async function makeDurable(client: PostgresClient): Promise<void> {
  const [row] = (
    await client.query(
      `SELECT CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply'
       ELSE set_config('synchronous_commit', 'on', false) END AS level`,
    )
  ).rows as SqlRow[];
  if (row?.level === 'on' || row?.level === 'remote_apply') return;
  throw new YubikeyError(
    'STORE_NOT_DURABLE',
    `PostgreSQL keeps synchronous_commit at ${row?.level}: set it to on`,
  );
}

async function bringUpToDate(client: PostgresClient): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    await client.query(SCHEMA_TABLE);
    const [row] = (await client.query(SCHEMA_VERSION)).rows as SqlRow[];
    for (const sql of migrationsFrom(row)) await client.query(sql);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** `?` becomes `$1`, `$2` …: no statement has one inside a text. */
function numbered(sql: string): string {
  let count = 0;
  return sql.replaceAll('?', () => `$${++count}`);
}
