import { YubikeyError } from '../../errors.js';
import {
  ADVANCE_MANY_JSON,
  isRead,
  migrationsFrom,
  SCHEMA_TABLE,
  SCHEMA_VERSION,
  type SqlRow,
  type SqlValue,
} from '../sql/sql-stores.js';
import type { Durability } from '../store.js';
import type { SqliteDatabase, SqliteStatement } from './driver.js';
import { addSequence, FileWatch, readDatabasePath } from './file-watch.js';
import { FileLost, isBusy, isCorrupt, Uncertain } from './sqlite-faults.js';
import { type Waiter, whenFree } from './waiter.js';

/** How long a statement may block the thread for a lock of another process. Zero, since any number of calls may wait. */
const BUSY_TIMEOUT_MS = 0;

/** Runs statements on an open database, in the calling thread. */
export class SqliteConnection {
  readonly #statements = new Map<string, SqliteStatement>();
  /** Set once the database has been made durable. */
  #watch: FileWatch | undefined;
  #lost: FileLost | undefined;
  readonly #database: SqliteDatabase;
  readonly #path: string | undefined;

  /** @param path The path by which the database was opened, if known. */
  constructor(database: SqliteDatabase, path?: string) {
    this.#database = database;
    this.#path = path;
  }

  async migrate(waiter: Waiter): Promise<Durability> {
    await this.#whenFree(() => this.#makeDurable(), waiter);
    await this.#write(() => this.#runMigrations(), waiter);
    this.#watch ??= new FileWatch(this.#database, this.#path);
    return {
      durable: true,
      statement:
        'SQLite with journal_mode=wal and synchronous=full: an accepted OTP is on disk before the verdict is given',
    };
  }

  run(sql: string, parameters: readonly SqlValue[], waiter: Waiter): Promise<SqlRow[]> {
    const work = () => this.#statement(sql).all(...parameters) as SqlRow[];
    return isRead(sql) ? this.#whenFree(work, waiter) : this.#write(work, waiter);
  }

  /** Resolves with the row of each id, in the order of the ids. */
  findAll(sql: string, ids: readonly string[], waiter: Waiter): Promise<(SqlRow | undefined)[]> {
    return this.#whenFree(
      () => ids.map((id) => this.#statement(sql).all(id)[0] as SqlRow | undefined),
      waiter,
    );
  }

  /** Calls `rows` for the values, a JSON array of arrays, once the transaction has begun. */
  advance(rows: () => string, waiter: Waiter): Promise<SqlRow[]> {
    return this.#write(() => this.#statement(ADVANCE_MANY_JSON).all(rows()) as SqlRow[], waiter);
  }

  /** Runs a write transaction that changes no record. */
  probe(waiter: Waiter): Promise<void> {
    return this.#write(() => undefined, waiter);
  }

  #write<T>(work: () => T, waiter: Waiter): Promise<T> {
    return this.#whenFree(() => this.#transaction(work, waiter), waiter);
  }

  #whenFree<T>(work: () => T, waiter: Waiter): Promise<T> {
    return whenFree(() => {
      if (this.#lost) throw this.#lost;
      refuseUnusableHandle(this.#database);
      try {
        return work();
      } catch (error) {
        throw this.#rememberLoss(error);
      }
    }, waiter);
  }

  /** Treats damage as a loss of the file, and remembers a loss. */
  #rememberLoss(error: unknown): unknown {
    if (error instanceof Uncertain) {
      const cause = this.#rememberLoss(error.cause);
      return cause === error.cause ? error : new Uncertain(error.message, cause);
    }
    if (isCorrupt(error)) {
      const what = `${this.#path ?? readDatabasePath(this.#database)} is damaged, or is not a SQLite database (${(error as Error).message})`;
      return this.#rememberLoss(FileLost.since(what, error));
    }
    if (error instanceof FileLost) this.#lost = error;
    return error;
  }

  #makeDurable(): void {
    this.#database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    this.#database.exec('PRAGMA journal_mode = WAL');
    this.#database.exec('PRAGMA synchronous = FULL');
    const journal = this.#pragma('journal_mode');
    const synchronous = this.#pragma('synchronous');
    if (journal !== 'wal' || Number(synchronous) !== 2) {
      throw new YubikeyError(
        'STORE_NOT_DURABLE',
        `This SQLite database cannot promise durable writes (journal_mode ${journal}, synchronous ${synchronous}): ` +
          'open a file on a local disk, or use MemoryStore where nothing has to be kept',
      );
    }
  }

  #runMigrations(): void {
    this.#database.exec(SCHEMA_TABLE);
    addSequence(this.#database);
    const [row] = this.#database.prepare(SCHEMA_VERSION).all() as SqlRow[];
    for (const sql of migrationsFrom(row)) this.#database.exec(sql);
  }

  /**
   * Takes the lock before the work begins. In libsql, a statement that finds the file locked stays half done until it
   * runs again; until then, other writes on the handle are not committed, and are rolled back with it.
   */
  #transaction<T>(work: () => T, waiter: Waiter, hasRestartedLog = false): T {
    this.#watch?.dropCachedPages();
    this.#database.exec('BEGIN IMMEDIATE');
    let result: T;
    let sequence: number | undefined;
    let hasLogShrunk = false;
    try {
      if (!waiter.begin()) throw new Error('The caller no longer waits for it');
      sequence = this.#watch?.raiseSequence();
      result = work();
      hasLogShrunk = this.#watch?.hasLogShrunk ?? false;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
    if (hasLogShrunk && !hasRestartedLog) {
      this.#rollBack();
      this.#watch?.restartLog();
      return this.#transaction(work, waiter, true);
    }
    this.#commit();
    this.#checkFile(sequence);
    return result;
  }

  #checkFile(sequence: number | undefined): void {
    if (sequence === undefined) return;
    try {
      this.#watch?.checkAfterCommit(sequence);
    } catch (error) {
      throw new Uncertain(
        'The write was committed, but the file is no longer the one that was opened',
        error,
      );
    }
  }

  /** If COMMIT fails, the log may already hold the commit, and a restart would find it there. */
  #commit(): void {
    try {
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#rollBack();
      if (isBusy(error)) throw error;
      throw new Uncertain(`COMMIT failed: ${(error as Error).message}`, error);
    }
  }

  #rollBack(): void {
    try {
      this.#database.exec('ROLLBACK');
    } catch {
      // SQLite has already rolled back. The error to report is the one that made it do so.
    }
  }

  #pragma(name: string): unknown {
    const [row] = this.#database.prepare(`PRAGMA ${name}`).all() as SqlRow[];
    return row && Object.values(row)[0];
  }

  #statement(sql: string): SqliteStatement {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/**
 * A write inside a transaction of the application would be neither atomic nor durable when it returns. A closed handle
 * is refused first: libsql ends the process if it is asked for the transaction of one.
 */
function refuseUnusableHandle(database: SqliteDatabase): void {
  const handle = database as {
    open?: unknown;
    isOpen?: unknown;
    inTransaction?: unknown;
    isTransaction?: unknown;
  };
  if (handle.open === false || handle.isOpen === false)
    throw new YubikeyError('STORE_FAILED', 'This SQLite handle is closed');
  const isInTransaction = handle.inTransaction ?? handle.isTransaction;
  if (typeof isInTransaction !== 'boolean') {
    throw new YubikeyError(
      'STORE_FAILED',
      'This SQLite driver does not report whether a transaction is open: node:sqlite does from Node 22.16 on, libsql and better-sqlite3 always do',
    );
  }
  if (isInTransaction) {
    throw new YubikeyError(
      'STORE_FAILED',
      'This SQLite handle is inside a transaction of the application: give SqliteStore its own handle',
    );
  }
}
