import { setTimeout as sleep } from 'node:timers/promises';
import { YubikeyError } from '../errors.js';
import type { BatchWriter } from './batch.js';
import {
  ADVANCE_ONE,
  type AdvanceRow,
  migrationsFrom,
  type RunSql,
  SCHEMA_TABLE,
  SCHEMA_VERSION,
  type SqlRow,
  sqlStores,
} from './sql.js';
import type { ClientStore, CounterStore, Durability, KeyStore } from './store.js';

/** An open SQLite database: `DatabaseSync` of `node:sqlite`, or a `Database` of `libsql` or `better-sqlite3`. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
}

export interface SqliteStatement {
  // biome-ignore lint/suspicious/noExplicitAny: each driver types its parameters in its own way
  all(...parameters: any[]): unknown[];
}

export interface SqliteStoreOptions {
  /**
   * The open database. It stays yours: close it when you are done. `migrate()` sets its `journal_mode`,
   * `synchronous` and `busy_timeout` (none), also for statements of your own on the same handle.
   */
  database: SqliteDatabase;
}

/** How long a statement may block the event loop for a lock that another process holds: any number may wait. */
const BUSY_TIMEOUT_MS = 0;
/** How long a statement waits for such a lock in all. */
const BUSY_GIVE_UP_MS = 5000;
const BUSY_RETRY_MS = 10;

/**
 * Keys, clients and counters in a SQLite file, for applications on one machine; several processes may share the file.
 *
 * Every write is durable before it resolves: the database is set to WAL with `synchronous=FULL`, and that is
 * read back. Verifications that come together share one commit and its sync. Statements run in this thread: a
 * commit blocks the event loop for at most one batch of them and one sync, however many wait. Call {@link migrate}
 * once at every start.
 */
export class SqliteStore {
  readonly keys: KeyStore;
  readonly clients: ClientStore;
  readonly counters: CounterStore;
  private readonly database: SqliteDatabase;
  private readonly statements = new Map<string, SqliteStatement>();
  private migrated = false;

  /** @throws TypeError without an open database. */
  constructor({ database }: SqliteStoreOptions) {
    if (typeof database?.prepare !== 'function' || typeof database.exec !== 'function') {
      throw new TypeError(
        'SqliteStore requires database: an open database of node:sqlite, libsql or better-sqlite3',
      );
    }
    this.database = database;
    const run: RunSql = async (sql, parameters) => {
      this.assertMigrated();
      return whenFree(() => {
        refuseUnusableHandle(database);
        const work = () => this.statement(sql).all(...parameters) as SqlRow[];
        return sql.startsWith('SELECT') ? work() : this.transaction(work);
      });
    };
    const advance: BatchWriter<AdvanceRow, SqlRow | undefined> = {
      write: async (take, since) => {
        this.assertMigrated();
        return whenFree(() => {
          refuseUnusableHandle(database);
          return this.transaction(() =>
            take().map(({ values }) => this.statement(ADVANCE_ONE).all(...values)[0] as SqlRow | undefined),
          );
        }, since);
      },
      isFaultOfOne: isFaultOfRow,
      atOnce: 1,
    };
    const { keys, clients, counters } = sqlStores(run, advance);
    this.keys = keys;
    this.clients = clients;
    this.counters = counters;
  }

  /**
   * Makes the database durable and brings its tables up to date; safe to call again, and from several
   * processes at once.
   *
   * @throws YubikeyError `STORE_NOT_DURABLE` when the file cannot be made durable, `STORE_NOT_MIGRATED` when its
   * schema is newer than this version of the package.
   */
  async migrate(): Promise<Durability> {
    await whenFree(() => {
      refuseUnusableHandle(this.database);
      this.makeDurable();
      this.bringUpToDate();
    });
    this.migrated = true;
    return {
      durable: true,
      statement:
        'SQLite with journal_mode=wal and synchronous=full: an accepted OTP is on disk before it is answered',
    };
  }

  private assertMigrated(): void {
    if (!this.migrated)
      throw new YubikeyError('STORE_NOT_MIGRATED', 'Call migrate() before using SqliteStore');
  }

  private makeDurable(): void {
    this.database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    this.database.exec('PRAGMA journal_mode = WAL');
    this.database.exec('PRAGMA synchronous = FULL');
    const journal = this.pragma('journal_mode');
    const synchronous = this.pragma('synchronous');
    if (journal !== 'wal' || Number(synchronous) !== 2) {
      throw new YubikeyError(
        'STORE_NOT_DURABLE',
        `This SQLite database cannot promise durable writes (journal_mode ${journal}, synchronous ${synchronous}): ` +
          'open a file on a local disk, or use MemoryStore where nothing has to last',
      );
    }
  }

  private bringUpToDate(): void {
    this.transaction(() => {
      this.database.exec(SCHEMA_TABLE);
      const [row] = this.database.prepare(SCHEMA_VERSION).all() as SqlRow[];
      for (const sql of migrationsFrom(row)) this.database.exec(sql);
    });
  }

  /**
   * Takes the lock before the work begins. A statement that itself finds the file locked stays half done in
   * libsql until it runs again; what others write meanwhile is then not committed, and rolled back with it.
   */
  private transaction<T>(work: () => T): T {
    this.database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.database.exec('COMMIT');
      return result;
    } catch (error) {
      this.rollBack();
      throw error;
    }
  }

  private rollBack(): void {
    try {
      this.database.exec('ROLLBACK');
    } catch {
      // SQLite has already rolled back, and the error that made it do so is the one to report.
    }
  }

  private pragma(name: string): unknown {
    const [row] = this.database.prepare(`PRAGMA ${name}`).all() as SqlRow[];
    return row && Object.values(row)[0];
  }

  private statement(sql: string): SqliteStatement {
    let statement = this.statements.get(sql);
    if (!statement) {
      statement = this.database.prepare(sql);
      this.statements.set(sql, statement);
    }
    return statement;
  }
}

/**
 * A write inside a transaction of the application's would be neither atomic nor durable when it returns. A
 * closed handle is looked for first: libsql ends the process when such a one is asked for its transaction.
 */
function refuseUnusableHandle(database: SqliteDatabase): void {
  const handle = database as { open?: unknown; inTransaction?: unknown; isTransaction?: unknown };
  if (handle.open === false) throw new YubikeyError('STORE_FAILED', 'This SQLite handle is closed');
  const isInTransaction = handle.inTransaction ?? handle.isTransaction;
  if (typeof isInTransaction !== 'boolean') {
    throw new YubikeyError(
      'STORE_FAILED',
      'This SQLite driver does not tell whether a transaction is open: node:sqlite does from Node 22.16 on, libsql and better-sqlite3 always',
    );
  }
  if (isInTransaction) {
    throw new YubikeyError(
      'STORE_FAILED',
      'This SQLite handle is inside a transaction of the application: give SqliteStore a handle of its own',
    );
  }
}

/** Waits for locks of other processes, without blocking the event loop for long. */
async function whenFree<T>(work: () => T, since = Date.now()): Promise<T> {
  const deadline = since + BUSY_GIVE_UP_MS;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || Date.now() > deadline) throw error;
      await sleep(BUSY_RETRY_MS);
    }
  }
}

/** Primary result codes of SQLite. */
const BUSY = 5;
const [TOOBIG, CONSTRAINT, MISMATCH] = [18, 19, 20];

const isBusy = (error: unknown) => isOf(error, { BUSY });

/** Whether SQLite or its driver refused a value; it has rolled back then. */
const isFaultOfRow = (error: unknown) =>
  error instanceof TypeError || isOf(error, { TOOBIG, CONSTRAINT, MISMATCH });

/** Whether it has one of these result codes, extended ones too, as the three drivers name them. */
function isOf(error: unknown, codes: Record<string, number>): boolean {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  const [, name = ''] = /^SQLITE_([A-Z]+)/.exec(String(code)) ?? [];
  return name in codes || (typeof errcode === 'number' && Object.values(codes).includes(errcode & 0xff));
}
