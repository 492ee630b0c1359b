import { resolve } from 'node:path';
import { YubikeyError } from '../errors.js';
import { assertOptions, type OptionNames } from '../options.js';
import type { BatchWriter } from './batch.js';
import { type AdvanceRow, type FindSql, type RunSql, type SqlRow, sqlStores } from './sql.js';
import { SqliteConnection } from './sqlite/connection.js';
import type { SqliteDatabase } from './sqlite/database.js';
import { findDriver, type SqliteDriver } from './sqlite/driver.js';
import type { SqliteEngine } from './sqlite/engine.js';
import { isFaultOfRow } from './sqlite/faults.js';
import { SqliteThreads } from './sqlite/threads.js';
import type { ClientStore, CounterStore, Durability, KeyStore } from './store.js';

export type { SqliteDatabase, SqliteStatement } from './sqlite/database.js';
export type { SqliteDriver } from './sqlite/driver.js';

/** A file, which works in threads of its own, or an open database, which works in the thread that calls. */
export interface SqliteStoreOptions {
  /**
   * The file, made if need be. Two threads open it, one to write and one to read, so that no sync of the disk stops the
   * event loop. Where the application opens the same file in this process, let it use the same driver: the locks of
   * one SQLite library are no locks for another. In a bundle, where files of this package are not beside it, take
   * `database`.
   */
  path?: string | undefined;
  /** What opens `path`. Default: the first that is installed of `node:sqlite` (Node 22.16), `libsql`, `better-sqlite3`. */
  driver?: SqliteDriver | undefined;
  /**
   * The open database, instead of `path`. It stays yours: close it when you are done. `migrate()` sets its
   * `journal_mode`, `synchronous` and `busy_timeout` (none), also for statements of your own on the same handle.
   */
  database?: SqliteDatabase | undefined;
}

const OPTION_NAMES: OptionNames<SqliteStoreOptions> = {
  path: true,
  driver: true,
  database: true,
};

/**
 * Keys, clients and counters in a SQLite file, for applications on one machine; several processes may share the file.
 *
 * Every write is durable before it resolves: the database is set to WAL with `synchronous=FULL`, and that is
 * read back. Verifications that come together share one commit. Call {@link migrate} once at every start.
 *
 * With `path`, SQLite never blocks the event loop, whatever the disk does: messages to and from its threads do, for some
 * 4 µs a verification, and so for less than 10 ms in one turn, however many wait. With `database`, it is blocked for a
 * batch of 128 and one sync of the disk at most, however many wait; for three syncs where SQLite makes a checkpoint.
 */
export class SqliteStore {
  readonly keys: KeyStore;
  readonly clients: ClientStore;
  readonly counters: CounterStore;
  private readonly engine: SqliteEngine;
  private migrated = false;

  /**
   * @throws TypeError without either a path or an open database, for an unknown option, and where there is no driver to
   * open the path.
   */
  constructor(options: SqliteStoreOptions) {
    const engine = engineOf(options);
    this.engine = engine;
    const run: RunSql = async (sql, parameters) => {
      this.assertMigrated();
      return engine.run(sql, parameters);
    };
    const find: FindSql = async (sql, id) => {
      this.assertMigrated();
      return engine.find(sql, id);
    };
    const advance: BatchWriter<AdvanceRow, SqlRow | undefined> = {
      write: async (take, since) => {
        this.assertMigrated();
        let batch: readonly AdvanceRow[] = [];
        const takeRows = () => {
          batch = take();
          return JSON.stringify(batch.map(({ values }) => values));
        };
        const advanced = new Map((await engine.advance(takeRows, since)).map((row) => [row.id, row]));
        return batch.map(({ id }) => advanced.get(id));
      },
      isFaultOfOne: isFaultOfRow,
      atOnce: 1,
    };
    const { keys, clients, counters } = sqlStores(run, advance, find);
    this.keys = keys;
    this.clients = clients;
    this.counters = counters;
  }

  /**
   * Makes the database durable and brings its tables up to date; safe to call again, and from several
   * processes at once.
   *
   * @throws YubikeyError `STORE_NOT_DURABLE` when the file cannot be made durable, `STORE_NOT_MIGRATED` when its
   * schema is newer than this version of the package, `STORE_FAILED` when a path cannot be opened.
   */
  async migrate(): Promise<Durability> {
    const durability = await this.engine.migrate();
    this.migrated = true;
    return durability;
  }

  /**
   * Ends the threads of a path once they have done what they are at, and closes the file; what waits or comes later
   * rejects with `STORE_FAILED`, and nothing of it is written. An open `database` is left open. A process may also just
   * end: the threads do not keep it alive.
   */
  async close(): Promise<void> {
    await this.engine.close();
  }

  private assertMigrated(): void {
    if (!this.migrated)
      throw new YubikeyError('STORE_NOT_MIGRATED', 'Call migrate() before using SqliteStore');
  }
}

function engineOf(options: SqliteStoreOptions): SqliteEngine {
  assertOptions('SqliteStore', options, OPTION_NAMES);
  const { path, driver, database } = options ?? {};
  if (database !== undefined && path !== undefined) {
    throw new TypeError('SqliteStore takes either path or database, not both');
  }
  if (typeof path === 'string' && path !== '' && path !== ':memory:') {
    return new SqliteThreads({ path: resolve(path), driver: findDriver(driver) });
  }
  if (typeof database?.prepare !== 'function' || typeof database.exec !== 'function') {
    throw new TypeError(
      'SqliteStore requires path, the path of a file, or database, an open database of node:sqlite, libsql or better-sqlite3',
    );
  }
  return new SqliteConnection(database);
}
