import { YubikeyError } from '../../errors.js';
import {
  ADVANCE_MANY_JSON,
  isRead,
  migrationsFrom,
  SCHEMA_TABLE,
  SCHEMA_VERSION,
  type SqlRow,
  type SqlValue,
} from '../sql.js';
import type { Durability } from '../store.js';
import type { SqliteDatabase, SqliteStatement } from './database.js';
import type { SqliteEngine } from './engine.js';
import { whenFree } from './faults.js';

/** How long a statement may block the thread for a lock that another process holds: any number may wait. */
const BUSY_TIMEOUT_MS = 0;

/** Runs the statements on an open database, in the thread that calls. */
export class SqliteConnection implements SqliteEngine {
  private readonly statements = new Map<string, SqliteStatement>();

  constructor(private readonly database: SqliteDatabase) {}

  async migrate(): Promise<Durability> {
    await this.whenFree(() => {
      this.makeDurable();
      this.bringUpToDate();
    });
    return {
      durable: true,
      statement:
        'SQLite with journal_mode=wal and synchronous=full: an accepted OTP is on disk before it is answered',
    };
  }

  run(sql: string, parameters: readonly SqlValue[]): Promise<SqlRow[]> {
    return this.whenFree(() => {
      const work = () => this.statement(sql).all(...parameters) as SqlRow[];
      return isRead(sql) ? work() : this.transaction(work);
    });
  }

  async find(sql: string, id: string): Promise<SqlRow | undefined> {
    return (await this.findAll(sql, [id]))[0];
  }

  /** The row of each id, in their order. */
  findAll(sql: string, ids: readonly string[]): Promise<(SqlRow | undefined)[]> {
    return this.whenFree(() => ids.map((id) => this.statement(sql).all(id)[0] as SqlRow | undefined));
  }

  advance(take: () => string, since: number): Promise<SqlRow[]> {
    return this.whenFree(
      () => this.transaction(() => this.statement(ADVANCE_MANY_JSON).all(take()) as SqlRow[]),
      since,
    );
  }

  /** The database is its owner's. */
  async close(): Promise<void> {}

  private whenFree<T>(work: () => T, since?: number): Promise<T> {
    return whenFree(() => {
      refuseUnusableHandle(this.database);
      return work();
    }, since);
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
