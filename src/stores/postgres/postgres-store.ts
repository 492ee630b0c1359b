import { YubikeyError } from '../../errors.js';
import { assertOptions, type OptionNames } from '../../options.js';
import type { Batch } from '../batch-writer.js';
import { Calls } from '../calls.js';
import {
  ADVANCE_MANY,
  ADVANCE_ONE,
  type AdvanceRow,
  Finder,
  forManyIds,
  isRead,
  migrationsFrom,
  SCHEMA_TABLE,
  SCHEMA_VERSION,
  type SqlRow,
  sqlStores,
} from '../sql/sql-stores.js';
import type { ClientStore, CounterStore, Durability, KeyStore } from '../store.js';
import { Connections, type PostgresClient, type PostgresPool } from './connections.js';
import {
  isPostgresRefusal,
  isPostgresRowFault,
  isRolledBack,
  isRowLocked,
  isTranslatedRefusal,
} from './postgres-faults.js';

export type { PostgresClient, PostgresPool } from './connections.js';

export interface PostgresStoreOptions {
  /** It stays yours: end it when you are done, and listen to its `error` events. */
  pool: PostgresPool;
  /** Goes on where the server does not sync its log (`fsync=off`). Default false. */
  allowReplayAfterCrash?: boolean | undefined;
  /**
   * Milliseconds that a call waits for its answer, and before that for a connection. Default 5,000. Only the pool can
   * give up an attempt to connect, so it gets the same as its `connectionTimeoutMillis` unless it has one: give it one
   * of no more.
   */
  timeout?: number | undefined;
}

const OPTION_NAMES: OptionNames<PostgresStoreOptions> = {
  pool: true,
  allowReplayAfterCrash: true,
  timeout: true,
};

/** Names the lock that migrations of several instances wait for: any number that nobody else uses. */
const MIGRATION_LOCK = 7_982_356_411;
/** PostgreSQL writes a row anew, and so its log, also where nothing in it changes. */
const WRITE_NOTHING = 'UPDATE yubikey_schema SET version = version';
const MAX_TRIES = 5;
/** Batches on their way, each over a connection: the server syncs what comes together at once. */
const BATCHES_AT_ONCE = 2;
/** A batch that takes so long leaves its place to another one, over another connection. */
const SLOW_MS = 100;

/**
 * Keys, clients and counters in PostgreSQL, for any number of instances of an application.
 *
 * Every write is on disk before it resolves: each connection is set to `synchronous_commit=on` (unless it waits
 * for more), and that and the server's `fsync` are read back. Do not turn it off on connections of the same pool,
 * and do not put a pooler between that gives one connection's settings to another (PgBouncer's transaction mode).
 * Verifications that come together share one statement. Call {@link migrate} once at every start.
 *
 * A connection that does not answer in time is closed, and holds up only what was asked over it, as long as the pool
 * has others.
 */
export class PostgresStore {
  readonly keys: KeyStore;
  readonly clients: ClientStore;
  readonly counters: CounterStore;
  readonly #calls: Calls;
  readonly #connections: Connections;
  readonly #allowReplayAfterCrash: boolean;
  #migrated = false;

  /** @throws TypeError without a pool, for an unknown option, or for an unusable timeout. */
  constructor(options: PostgresStoreOptions) {
    assertOptions('PostgresStore', options, OPTION_NAMES);
    const { pool, allowReplayAfterCrash = false, timeout } = options ?? {};
    if (typeof pool?.connect !== 'function') throw new TypeError('PostgresStore requires pool: a Pool of pg');
    this.#calls = new Calls(timeout);
    this.#connections = new Connections(pool, this.#calls.timeout);
    this.#allowReplayAfterCrash = allowReplayAfterCrash;
    const finder = new Finder((sql, ids) => this.#findAll(sql, ids));
    const { keys, clients, counters } = sqlStores(
      (sql, values) => this.#run(sql, values),
      {
        write: (batch) => this.#advance(batch),
        isRefusal: isPostgresRefusal,
        isLocked: isRowLocked,
        isItemFault: isPostgresRowFault,
        atOnce: BATCHES_AT_ONCE,
        slowMs: SLOW_MS,
      },
      (sql, id) => this.#calls.run(() => finder.find(sql, id)),
      this.#calls,
    );
    this.keys = keys;
    this.clients = clients;
    this.counters = counters;
  }

  /**
   * Brings the tables up to date; safe to call again, and from several instances at once.
   *
   * @throws YubikeyError `STORE_NOT_DURABLE` when the server does not sync its log, `STORE_NOT_MIGRATED` when the
   * schema is newer than this version of the package, `STORE_FAILED` when the server fails or does not answer.
   */
  async migrate(): Promise<Durability> {
    const durability = await this.#calls.run(() => this.#connections.lend((client) => this.#setUp(client)));
    this.#migrated = true;
    return durability;
  }

  /** Writes durably, and rejects where that fails or takes too long: for health checks. It changes nothing. */
  async probe(): Promise<void> {
    await this.#run(WRITE_NOTHING, []);
  }

  async #setUp(client: PostgresClient): Promise<Durability> {
    const [row] = await query(client, "SELECT current_setting('fsync') AS fsync");
    const isSynced = row?.fsync === 'on';
    if (!isSynced && !this.#allowReplayAfterCrash) {
      throw new YubikeyError(
        'STORE_NOT_DURABLE',
        'This PostgreSQL server runs with fsync=off: after a crash, OTPs could be accepted again. Set fsync=on',
      );
    }
    await runMigrations(client);
    return { durable: isSynced, statement: isSynced ? DURABLE : NOT_DURABLE };
  }

  async #advance(batch: Batch<AdvanceRow>): Promise<(SqlRow | undefined)[]> {
    this.#assertMigrated();
    const advanceOn = (client: PostgresClient) =>
      retryRolledBack(async () => {
        const rows = batch.take();
        const advanced = new Map((await writeRows(client, rows)).map((row) => [row.id, row]));
        return rows.map(({ id }) => advanced.get(id));
      });
    return this.#connections.lend(advanceOn);
  }

  /** The row of each id, in their order. */
  async #findAll(sql: string, ids: readonly string[]): Promise<(SqlRow | undefined)[]> {
    this.#assertMigrated();
    return this.#connections.lend(async (client) => {
      if (ids.length === 1) return query(client, sql, ids);
      const found = new Map((await query(client, forManyIds(sql), [ids])).map((row) => [row.id, row]));
      return ids.map((id) => found.get(id));
    });
  }

  #run(sql: string, values: readonly unknown[]): Promise<SqlRow[]> {
    return this.#calls.run(async (call) => {
      this.#assertMigrated();
      return this.#connections.lend((client) =>
        retryRolledBack(async () => {
          if (call.isOver) return [];
          if (!isRead(sql)) call.sent();
          try {
            return await query(client, sql, values);
          } catch (error) {
            if (isPostgresRefusal(error)) call.refused();
            throw error;
          }
        }),
      );
    });
  }

  #assertMigrated(): void {
    if (!this.#migrated)
      throw new YubikeyError('STORE_NOT_MIGRATED', 'Call migrate() before using PostgresStore');
  }
}

/** One row is planned faster where there is nothing to put in order. */
async function writeRows(client: PostgresClient, batch: readonly AdvanceRow[]): Promise<SqlRow[]> {
  const [first, second] = batch;
  if (!first) return [];
  if (!second) return query(client, ADVANCE_ONE, first.values);
  const columns = first.values.map((_, column) => batch.map(({ values }) => values[column]));
  return query(client, ADVANCE_MANY, columns);
}

async function query(
  client: PostgresClient,
  sql: string,
  values: readonly unknown[] = [],
): Promise<SqlRow[]> {
  try {
    return (await client.query(numberParameters(sql), [...values])).rows as SqlRow[];
  } catch (error) {
    // A PANIC or FATAL in other words ends the connection, and may come in the middle of a commit.
    if (isTranslatedRefusal(error)) await client.query('SELECT 1');
    throw error;
  }
}

async function retryRolledBack<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries === MAX_TRIES || !isRolledBack(error)) throw error;
    }
  }
}

const DURABLE =
  'PostgreSQL with fsync=on and synchronous_commit=on: an accepted OTP is on disk before it is answered';
const NOT_DURABLE =
  'PostgreSQL with fsync=off: after a crash of the machine, OTPs that were accepted may be accepted again';

async function runMigrations(client: PostgresClient): Promise<void> {
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
function numberParameters(sql: string): string {
  let count = 0;
  return sql.replaceAll('?', () => `$${++count}`);
}
