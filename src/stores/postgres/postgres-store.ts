import { YubikeyError } from '../../errors.js';
import { assertOptions, type OptionNames } from '../../options.js';
import type { Batch } from '../batching/batch.js';
import { OpenCalls } from '../open-calls.js';
import type { AdvanceRow } from '../sql/advance-statement.js';
import { Finder } from '../sql/finder.js';
import { migrationsFrom, SCHEMA_TABLE, SCHEMA_VERSION } from '../sql/schema.js';
import type { SqlRow } from '../sql/sql-runner.js';
import { sqlStores } from '../sql/sql-stores.js';
import { readStatement, type Statement, writeStatement } from '../sql/statement.js';
import type { ClientStore, CounterStore, Durability, KeyStore } from '../store.js';
import { Connections, type PostgresClient, type PostgresPool } from './connections.js';
import {
  advanceInPostgres,
  findInPostgres,
  type PostgresFind,
  postgresPlaceholder,
} from './postgres-dialect.js';
import { classifyPostgresFault, isRolledBack, isTranslatedRefusal } from './postgres-faults.js';

export type { PostgresClient, PostgresPool } from './connections.js';

export interface PostgresStoreOptions {
  /** The pool stays yours: end it when you are done, and listen to its `error` events. */
  pool: PostgresPool;
  /** Accept a server that does not sync its log (`fsync=off`). Default false. */
  allowReplayAfterCrash?: boolean | undefined;
  /**
   * Milliseconds that a call waits for its answer, and before that for a connection. Default 5,000. Only the pool can
   * give up an attempt to connect, so unless it has a `connectionTimeoutMillis`, the store sets that to the same value.
   * If you set it yourself, set it no higher.
   */
  timeout?: number | undefined;
}

const OPTION_NAMES: OptionNames<PostgresStoreOptions> = {
  pool: true,
  allowReplayAfterCrash: true,
  timeout: true,
};

/** The advisory lock that lets one instance migrate at a time: an arbitrary number. */
const MIGRATION_LOCK = 7_982_356_411;
/** Changes nothing, but PostgreSQL writes a new version of the row, and so writes its log. */
const WRITE_UNCHANGED = writeStatement('UPDATE yubikey_schema SET version = version');
const READ_FSYNC = readStatement("SELECT current_setting('fsync') AS fsync");
const MAX_TRIES = 5;
/** Batches in flight, each on its own connection: the server syncs concurrent commits together. */
const BATCHES_AT_ONCE = 2;
/** A batch that takes longer no longer counts as in flight: another one may be sent on another connection. */
const SLOW_MS = 100;

/**
 * Keys, clients and counters in PostgreSQL, for any number of instances of an application.
 *
 * Every write is on disk before it resolves: each connection is set to `synchronous_commit=on` (or keeps
 * `remote_apply`), and that and the server's `fsync` are read back. Do not turn it off on connections of the same pool,
 * and do not use a pooler that carries one connection's settings over to another (PgBouncer's transaction mode).
 * Concurrent verifications share one statement. Call {@link migrate} once at every start.
 *
 * A connection that does not answer in time is closed. It delays only the calls on it, as long as the pool has others.
 */
export class PostgresStore {
  readonly keys: KeyStore;
  readonly clients: ClientStore;
  readonly counters: CounterStore;
  readonly #calls: OpenCalls;
  readonly #connections: Connections;
  readonly #allowReplayAfterCrash: boolean;
  #migrated = false;

  /** @throws TypeError without a pool, for an unknown option, or for an invalid timeout. */
  constructor(options: PostgresStoreOptions) {
    assertOptions('PostgresStore', options, OPTION_NAMES);
    const { pool, allowReplayAfterCrash = false, timeout } = options ?? {};
    if (typeof pool?.connect !== 'function') throw new TypeError('PostgresStore requires pool: a Pool of pg');
    this.#calls = new OpenCalls('PostgresStore', timeout);
    this.#connections = new Connections(pool, this.#calls.timeout);
    this.#allowReplayAfterCrash = allowReplayAfterCrash;
    const finder = new Finder<PostgresFind>((find, ids) => this.#findAll(find, ids));
    const { keys, clients, counters } = sqlStores(
      {
        placeholder: postgresPlaceholder,
        run: (statement, parameters) => this.#run(statement, parameters),
        prepareFind: (selection) => {
          const find = findInPostgres(selection);
          return (id) => this.#calls.run(() => finder.find(find, id));
        },
      },
      {
        write: (batch) => this.#advance(batch),
        classifyFault: classifyPostgresFault,
        atOnce: BATCHES_AT_ONCE,
        slowMs: SLOW_MS,
      },
      this.#calls,
    );
    this.keys = keys;
    this.clients = clients;
    this.counters = counters;
  }

  /**
   * Brings the tables up to date. Safe to call again, and from several instances at once.
   *
   * @throws YubikeyError `STORE_NOT_DURABLE` if the server does not sync its log, `STORE_NOT_MIGRATED` if the
   * schema is newer than this version of the package, `STORE_FAILED` if the server fails or does not answer.
   */
  async migrate(): Promise<Durability> {
    const durability = await this.#calls.run(() => this.#connections.lend((client) => this.#setUp(client)));
    this.#migrated = true;
    return durability;
  }

  /** For health checks: writes durably without changing anything, and rejects if that fails or takes too long. */
  async probe(): Promise<void> {
    await this.#run(WRITE_UNCHANGED, []);
  }

  async #setUp(client: PostgresClient): Promise<Durability> {
    const [row] = await query(client, READ_FSYNC);
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
        if (!batch.beginWrite()) return [];
        const { statement, parameters } = advanceInPostgres(batch.items);
        const advanced = new Map((await query(client, statement, parameters)).map((row) => [row.id, row]));
        return batch.items.map(({ id }) => advanced.get(id));
      });
    return this.#connections.lend(advanceOn);
  }

  /** Resolves with the row of each id, in the order of the ids. */
  async #findAll({ one, many }: PostgresFind, ids: readonly string[]): Promise<(SqlRow | undefined)[]> {
    this.#assertMigrated();
    return this.#connections.lend(async (client) => {
      if (ids.length === 1) return query(client, one, ids);
      const found = new Map((await query(client, many, [ids])).map((row) => [row.id, row]));
      return ids.map((id) => found.get(id));
    });
  }

  #run(statement: Statement, parameters: readonly unknown[]): Promise<SqlRow[]> {
    return this.#calls.run(async (call) => {
      this.#assertMigrated();
      return this.#connections.lend((client) =>
        retryRolledBack(async () => {
          const isWanted = statement.kind === 'read' ? call.isWanted : call.beginWrite();
          if (!isWanted) return [];
          try {
            return await query(client, statement, parameters);
          } catch (error) {
            if (classifyPostgresFault(error) !== 'UNANSWERED') call.refused();
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

async function query(
  client: PostgresClient,
  { sql }: Statement,
  parameters: readonly unknown[] = [],
): Promise<SqlRow[]> {
  try {
    return (await client.query(sql, [...parameters])).rows as SqlRow[];
  } catch (error) {
    // In another language, it may be PANIC or FATAL: these end the connection, and may occur during a commit.
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
  'PostgreSQL with fsync=on and synchronous_commit=on: an accepted OTP is on disk before the verdict is given';
const NOT_DURABLE =
  'PostgreSQL with fsync=off: after a crash of the machine, OTPs that were accepted may be accepted again';

async function runMigrations(client: PostgresClient): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    await client.query(SCHEMA_TABLE);
    const [row] = (await client.query(SCHEMA_VERSION.sql)).rows as SqlRow[];
    for (const sql of migrationsFrom(row)) await client.query(sql);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
