import { YubikeyError } from '../../errors.js';
import type { Callers } from '../callers.js';
import { migrationsFrom, SCHEMA_TABLE, SCHEMA_VERSION } from '../sql/schema.js';
import type { SqlRow, SqlValue } from '../sql/sql-runner.js';
import type { ReadStatement, Statement } from '../sql/statement.js';
import type { Durability } from '../store.js';
import type { SqliteDatabase, SqliteStatement } from './driver.js';
import { addSequence, FileWatch, readDatabasePath } from './file-watch.js';
import { ADVANCE_IN_SQLITE } from './sqlite-dialect.js';
import { FileLost, isBusy, isCorrupt, Uncertain } from './sqlite-faults.js';
import { whenFree } from './when-free.js';

/** How long a statement may block the thread for a lock of another process. Zero, since any number of calls may wait. */
const BUSY_TIMEOUT_MS = 0;

/** Runs statements on an open database, in the calling thread. */
export class SqliteConnection {
  readonly #prepared = new Map<string, SqliteStatement>();
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

  /** No OTP depends on it, so for its caller, it does not count as a write whose answer may be lost. */
  async migrate(callers: Callers): Promise<Durability> {
    await this.#whenFree(() => this.#makeDurable(), callers);
    await this.#write(
      () => this.#runMigrations(),
      callers,
      () => callers.isWanted,
    );
    this.#watch ??= new FileWatch(this.#database, this.#path);
    return {
      durable: true,
      statement:
        'SQLite with journal_mode=wal and synchronous=full: an accepted OTP is on disk before the verdict is given',
    };
  }

  run(statement: Statement, parameters: readonly SqlValue[], callers: Callers): Promise<SqlRow[]> {
    const work = () => this.#prepare(statement).all(...parameters) as SqlRow[];
    return statement.kind === 'read' ? this.#whenFree(work, callers) : this.#write(work, callers);
  }

  /** Resolves with the row of each id, in the order of the ids. */
  findAll(
    statement: ReadStatement,
    ids: readonly string[],
    callers: Callers,
  ): Promise<(SqlRow | undefined)[]> {
    return this.#whenFree(
      () => ids.map((id) => this.#prepare(statement).all(id)[0] as SqlRow | undefined),
      callers,
    );
  }

  /** Calls `rows` for the encoded rows once their write has begun. */
  advance(rows: () => string, callers: Callers): Promise<SqlRow[]> {
    return this.#write(() => this.#prepare(ADVANCE_IN_SQLITE).all(rows()) as SqlRow[], callers);
  }

  /** Runs a write transaction that changes no record. */
  probe(callers: Callers): Promise<void> {
    return this.#write(() => undefined, callers);
  }

  #write<T>(work: () => T, callers: Callers, begin = () => callers.beginWrite()): Promise<T> {
    return this.#whenFree(() => this.#transaction(work, begin), callers);
  }

  #whenFree<T>(work: () => T, callers: Callers): Promise<T> {
    return whenFree(() => {
      if (this.#lost) throw this.#lost;
      refuseUnusableHandle(this.#database);
      try {
        return work();
      } catch (error) {
        throw this.#rememberLoss(error);
      }
    }, callers);
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
    const [row] = this.#database.prepare(SCHEMA_VERSION.sql).all() as SqlRow[];
    for (const sql of migrationsFrom(row)) this.#database.exec(sql);
  }

  /**
   * Takes the lock before the work begins. In libsql, a statement that finds the file locked stays half done until it
   * runs again; until then, other writes on the handle are not committed, and are rolled back with it.
   */
  #transaction<T>(work: () => T, begin: () => boolean, hasRestartedLog = false): T {
    this.#watch?.dropCachedPages();
    this.#database.exec('BEGIN IMMEDIATE');
    let result: T;
    let sequence: number | undefined;
    let hasLogShrunk = false;
    try {
      if (!begin()) throw new Error('The caller no longer waits for it');
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
      return this.#transaction(work, begin, true);
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

  #prepare({ sql }: Statement): SqliteStatement {
    let prepared = this.#prepared.get(sql);
    if (!prepared) {
      prepared = this.#database.prepare(sql);
      this.#prepared.set(sql, prepared);
    }
    return prepared;
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
