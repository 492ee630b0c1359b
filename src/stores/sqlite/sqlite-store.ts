import { resolve } from 'node:path';
import { YubikeyError } from '../../errors.js';
import { assertOptions, type OptionNames } from '../../options.js';
import type { Batch } from '../batch-writer.js';
import { type Call, Calls } from '../calls.js';
import { type AdvanceRow, type SqlRow, sqlStores } from '../sql/sql-stores.js';
import type { ClientStore, CounterStore, Durability, KeyStore } from '../store.js';
import { findDriver, type SqliteDatabase, type SqliteDriver } from './driver.js';
import type { SqliteEngine } from './engine.js';
import { SqliteHandle } from './handle.js';
import { FIRST_TOUCHES, LastAccepted } from './last-accepted.js';
import { FileLost, findFileLoss, isSqliteRowFault, UncertainWrite } from './sqlite-faults.js';
import { SqliteThreads } from './threads.js';

export type { SqliteDatabase, SqliteDriver, SqliteStatement } from './driver.js';

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
   * `journal_mode`, `synchronous` and `busy_timeout` (none), also for statements of your own on the same handle. A disk
   * that does not answer stops the whole process, which no timeout can end: only waits for other processes' locks have
   * one here. For deadlines on any disk, take `path`.
   */
  database?: SqliteDatabase | undefined;
  /** Milliseconds that a call waits for its answer, the wait for other processes' locks included. Default 5,000. */
  timeout?: number | undefined;
}

/** Why a store can be used no more. */
export interface SqliteFault {
  /**
   * `THREAD_ENDED`: one of its threads failed; a new process, or another store, goes on. `FILE_LOST`: the file was
   * replaced, removed or damaged while it was in use; a new process would believe whatever file it finds, so it must not
   * be started before somebody has looked.
   */
  readonly kind: 'THREAD_ENDED' | 'FILE_LOST';
  /** What all calls reject with from now on. */
  readonly error: YubikeyError;
}

const OPTION_NAMES: OptionNames<SqliteStoreOptions> = {
  path: true,
  driver: true,
  database: true,
  timeout: true,
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
 *
 * A file that is replaced, removed, cut or damaged while it is in use is found out with the next write, after its commit and
 * before any verdict; then all calls reject, and {@link fault} says so. So is an older copy put over the file, once
 * something is read from it that this process has seen newer: the number of the last write, or the counters of up to
 * 100,000 keys, of those stored when it began and those it accepted last. Neither replace nor copy over a file in use:
 * stop the service first. In a process that has such a file open, never open it by other means: when any descriptor of it
 * is closed, its locks are lost.
 */
export class SqliteStore {
  readonly keys: KeyStore;
  readonly clients: ClientStore;
  readonly counters: CounterStore;
  /** Resolves once this store can be used no more, and all its calls reject; never, where that does not happen. */
  readonly fault: Promise<SqliteFault>;
  readonly #calls: Calls;
  readonly #engine: SqliteEngine;
  #migrated = false;
  readonly #lastAccepted = new LastAccepted();
  #lost: FileLost | undefined;
  #endWith!: (fault: SqliteFault) => void;

  /**
   * @throws TypeError without either a path or an open database, for an unknown option or an unusable timeout, and where
   * there is no driver to open the path.
   */
  constructor(options: SqliteStoreOptions) {
    assertOptions('SqliteStore', options, OPTION_NAMES);
    this.#calls = new Calls(options?.timeout);
    this.fault = new Promise((resolve) => {
      this.#endWith = resolve;
    });
    const onEnd = (error: YubikeyError) => this.#endWith({ kind: 'THREAD_ENDED', error });
    this.#engine = createEngine(options ?? {}, this.#calls.timeout, onEnd);
    const { keys, clients, counters } = sqlStores(
      (sql, parameters) => this.#ask((engine, call) => engine.run(sql, parameters, call)),
      {
        write: (batch) => this.#advance(batch),
        isRefusal: (error) => !(error instanceof UncertainWrite),
        isLocked: () => false,
        isItemFault: isSqliteRowFault,
        atOnce: 1,
      },
      (sql, id) => this.#ask((engine, call) => engine.find(sql, id, call)),
      this.#calls,
    );
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
    const durability = await this.#askUnmigrated<Durability>((engine, call) => engine.migrate(call));
    this.#lastAccepted.load(
      await this.#askUnmigrated<SqlRow[]>((engine, call) => engine.run(FIRST_TOUCHES, [], call)),
    );
    this.#migrated = true;
    return durability;
  }

  /** Writes durably, and rejects where that fails or takes too long: for health checks. It changes no record. */
  async probe(): Promise<void> {
    await this.#ask<void>((engine, call) => engine.probe(call));
  }

  /**
   * Ends the threads of a path once they have done what they are at, and closes the file; what waits or comes later
   * rejects with `STORE_FAILED`, and nothing of it is written. An open `database` is left open. A process may also just
   * end: the threads do not keep it alive.
   *
   * @throws YubikeyError `STORE_FAILED` where a thread does not end within the timeout, as on a disk that does not answer.
   * Node waits for its threads when it exits, so such a process ends only by a signal.
   */
  async close(): Promise<void> {
    await this.#engine.close();
  }

  async #ask<T>(question: (engine: SqliteEngine, call: Call<T>) => Promise<T>): Promise<T> {
    this.#assertMigrated();
    return this.#askUnmigrated(question);
  }

  #askUnmigrated<T>(question: (engine: SqliteEngine, call: Call<T>) => Promise<T>): Promise<T> {
    return this.#calls.run((call) => this.#askEngine((engine) => question(engine, call)));
  }

  async #advance(batch: Batch<AdvanceRow>): Promise<(SqlRow | undefined)[]> {
    this.#assertMigrated();
    return this.#askEngine(async (engine) => {
      const { rows, advanced } = await engine.advance(batch);
      const rowsById = new Map(advanced.map((row) => [row.id, row]));
      const loss = this.#lastAccepted.record(rows, rowsById) ? this.#lost : FileLost.goneBack(engine.path);
      if (loss) throw new UncertainWrite('It was committed to a file that is lost', loss);
      return rows.map(({ id }) => rowsById.get(id));
    });
  }

  /** Once the file is lost, nothing is asked any more. */
  async #askEngine<T>(work: (engine: SqliteEngine) => Promise<T>): Promise<T> {
    if (this.#lost) throw this.#lost;
    try {
      return await work(this.#engine);
    } catch (error) {
      this.#lost ??= findFileLoss(error);
      if (this.#lost) this.#endWith({ kind: 'FILE_LOST', error: this.#lost });
      throw error;
    }
  }

  #assertMigrated(): void {
    if (!this.#migrated)
      throw new YubikeyError('STORE_NOT_MIGRATED', 'Call migrate() before using SqliteStore');
  }
}

function createEngine(
  { path, driver, database }: SqliteStoreOptions,
  timeout: number,
  onThreadEnd: (error: YubikeyError) => void,
): SqliteEngine {
  if (database !== undefined && path !== undefined) {
    throw new TypeError('SqliteStore takes either path or database, not both');
  }
  if (typeof path === 'string' && path !== '' && path !== ':memory:') {
    return new SqliteThreads({ path: resolve(path), driver: findDriver(driver) }, timeout, onThreadEnd);
  }
  if (typeof database?.prepare !== 'function' || typeof database.exec !== 'function') {
    throw new TypeError(
      'SqliteStore requires path, the path of a file, or database, an open database of node:sqlite, libsql or better-sqlite3',
    );
  }
  return new SqliteHandle(database);
}
