import { resolve } from 'node:path';
import { YubikeyError } from '../../errors.js';
import { assertOptions, type OptionNames } from '../../options.js';
import type { Batch } from '../batching/batch.js';
import type { Call } from '../call.js';
import { OpenCalls } from '../open-calls.js';
import type { AdvanceRow } from '../sql/advance-statement.js';
import type { SqlRow } from '../sql/sql-runner.js';
import { sqlStores } from '../sql/sql-stores.js';
import type { ClientStore, CounterStore, Durability, KeyStore } from '../store.js';
import { findDriver, type SqliteDatabase, type SqliteDriver } from './driver.js';
import type { SqliteEngine } from './engine.js';
import { SqliteHandle } from './handle.js';
import { FIRST_COUNTERS_TO_REMEMBER, LastAccepted } from './last-accepted.js';
import { findInSqlite, sqlitePlaceholder } from './sqlite-dialect.js';
import { classifySqliteFault, FileLost, findFileLoss, Uncertain } from './sqlite-faults.js';
import { SqliteThreads } from './threads.js';

export type { SqliteDatabase, SqliteDriver, SqliteStatement } from './driver.js';

/** Either the path of a file, which the store uses in its own threads, or an open database, used in the calling thread. */
export interface SqliteStoreOptions {
  /**
   * The path of the file, which is created if needed. Two threads open it, one to write and one to read, so that no sync
   * of the disk blocks the event loop. If the application opens the same file in this process, it must use the same
   * driver: one SQLite library does not see the locks of another. In a bundle without the files of this package, use
   * `database` instead.
   */
  path?: string | undefined;
  /** The driver that opens `path`. Default: the first available of `node:sqlite` (Node 22.16), `libsql`, `better-sqlite3`. */
  driver?: SqliteDriver | undefined;
  /**
   * An open database, instead of `path`. It stays yours: close it when you are done. `migrate()` sets its
   * `journal_mode`, `synchronous` and `busy_timeout` (to 0), which also affects your own statements on the same handle. A
   * disk that does not respond blocks the whole process, and no timeout can end that: here, the timeout covers only waits
   * for locks of other processes. For deadlines on any disk, use `path`.
   */
  database?: SqliteDatabase | undefined;
  /** Milliseconds that a call waits for its answer, including waits for locks of other processes. Default 5,000. */
  timeout?: number | undefined;
}

/** The reason why a store can no longer be used. */
export interface SqliteFault {
  /**
   * `THREAD_ENDED`: one of its threads failed; a new process, or another store, will work. `FILE_LOST`: the file was
   * replaced, removed or damaged while it was in use. A new process would trust whatever file it finds, so do not start
   * one before you have checked the file.
   */
  readonly kind: 'THREAD_ENDED' | 'FILE_LOST';
  /** The error with which all calls reject from now on. */
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
 * Every write is durable before it resolves: the database is set to WAL with `synchronous=FULL`, and both settings are
 * read back. Concurrent verifications share one commit. Call {@link migrate} once at every start.
 *
 * With `path`, SQLite never blocks the event loop, whatever the disk does. Messages to and from its threads do, for about
 * 4 µs per verification, and so for less than 10 ms per turn, however many calls wait. With `database`, the event loop is
 * blocked for at most a batch of 128 and one sync of the disk; for three syncs when SQLite makes a checkpoint.
 *
 * If the file is replaced, removed, truncated or damaged while it is in use, the next write detects that after its commit
 * and before any verdict: then all calls reject, and {@link fault} resolves. An older copy that is put over the file is
 * detected once the store reads older data from it than this process has seen: the number of the last write, or the
 * counters of up to 100,000 keys (those stored at the start, and those accepted last). Do not replace or overwrite a file
 * that is in use: stop the service first. In a process that uses such a file, never open it by other means: when any
 * descriptor of it is closed, the locks are lost.
 */
export class SqliteStore {
  readonly keys: KeyStore;
  readonly clients: ClientStore;
  readonly counters: CounterStore;
  /** Resolves if this store can no longer be used and all its calls reject; otherwise it never settles. */
  readonly fault: Promise<SqliteFault>;
  readonly #calls: OpenCalls;
  readonly #engine: SqliteEngine;
  #migrated = false;
  readonly #lastAccepted = new LastAccepted();
  #lost: FileLost | undefined;
  #endWith!: (fault: SqliteFault) => void;

  /**
   * @throws TypeError without a path or an open database, for an unknown option or an invalid timeout, and if no driver
   * is available to open the path.
   */
  constructor(options: SqliteStoreOptions) {
    assertOptions('SqliteStore', options, OPTION_NAMES);
    this.#calls = new OpenCalls('SqliteStore', options?.timeout);
    this.fault = new Promise((resolve) => {
      this.#endWith = resolve;
    });
    const onEnd = (error: YubikeyError) => this.#endWith({ kind: 'THREAD_ENDED', error });
    this.#engine = createEngine(options ?? {}, this.#calls.timeout, onEnd);
    const { keys, clients, counters } = sqlStores(
      {
        placeholder: sqlitePlaceholder,
        run: (statement, parameters) => this.#ask((engine, call) => engine.run(statement, parameters, call)),
        prepareFind: (selection) => {
          const statement = findInSqlite(selection);
          return (id) => this.#ask((engine, call) => engine.find(statement, id, call));
        },
      },
      { write: (batch) => this.#advance(batch), classifyFault: classifySqliteFault, atOnce: 1 },
      this.#calls,
    );
    this.keys = keys;
    this.clients = clients;
    this.counters = counters;
  }

  /**
   * Makes the database durable and brings its tables up to date. Safe to call again, and from several processes at once.
   *
   * @throws YubikeyError `STORE_NOT_DURABLE` if the file cannot be made durable, `STORE_NOT_MIGRATED` if its
   * schema is newer than this version of the package, `STORE_FAILED` if the path cannot be opened.
   */
  async migrate(): Promise<Durability> {
    const durability = await this.#askUnmigrated<Durability>((engine, call) => engine.migrate(call));
    this.#lastAccepted.load(
      await this.#askUnmigrated<SqlRow[]>((engine, call) => engine.run(FIRST_COUNTERS_TO_REMEMBER, [], call)),
    );
    this.#migrated = true;
    return durability;
  }

  /** For health checks: writes durably without changing a record, and rejects if that fails or takes too long. */
  async probe(): Promise<void> {
    await this.#ask<void>((engine, call) => engine.probe(call));
  }

  /**
   * With `path`, ends the threads once they have done the calls they were given, and closes the file. Later calls reject
   * with `STORE_FAILED`, and write nothing. An open `database` is left open. A process may also exit without calling this:
   * the threads do not keep it alive.
   *
   * @throws YubikeyError `STORE_FAILED` if a thread does not end within the timeout, for example on a disk that does not
   * respond. Node waits for its threads when it exits, so such a process can be ended only by a signal.
   */
  async close(): Promise<void> {
    await this.#engine.close();
  }

  async #ask<T>(question: (engine: SqliteEngine, call: Call<T>) => Promise<T>): Promise<T> {
    this.#assertMigrated();
    return this.#askUnmigrated(question);
  }

  #askUnmigrated<T>(question: (engine: SqliteEngine, call: Call<T>) => Promise<T>): Promise<T> {
    return this.#calls.run(async (call) => {
      try {
        return await this.#askEngine((engine) => question(engine, call));
      } catch (error) {
        if (classifySqliteFault(error) !== 'UNANSWERED') call.refused();
        throw error;
      }
    });
  }

  async #advance(batch: Batch<AdvanceRow>): Promise<(SqlRow | undefined)[]> {
    this.#assertMigrated();
    return this.#askEngine(async (engine) => {
      const advanced = new Map((await engine.advance(batch)).map((row) => [row.id, row]));
      const isRising = this.#lastAccepted.record(batch.items, advanced);
      const loss = isRising ? this.#lost : FileLost.goneBack(engine.path);
      if (loss) throw new Uncertain('The write was committed to a file that has been lost', loss);
      return batch.items.map(({ id }) => advanced.get(id));
    });
  }

  /** Once the file is lost, rejects without asking the engine. */
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
