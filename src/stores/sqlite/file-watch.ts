import { setTimeout as sleep } from 'node:timers/promises';
import type { SqlRow } from '../sql/sql-runner.js';
import type { SqliteDatabase, SqliteStatement } from './driver.js';
import { OpenedFile } from './opened-file.js';
import { FileLost, isCorrupt, isFromSqlite, isUnknownTable } from './sqlite-faults.js';

/** A number that every write increments: in an older copy of the file, it is lower. */
const SEQUENCE_TABLE = 'CREATE TABLE IF NOT EXISTS yubikey_sequence (number INTEGER NOT NULL)';
const SEQUENCE = 'SELECT number FROM yubikey_sequence';
const FIRST_SEQUENCE = 'INSERT INTO yubikey_sequence VALUES (0)';
const RAISE_SEQUENCE = 'UPDATE yubikey_sequence SET number = number + 1 RETURNING number';

/** How long to wait before the log of a lost file is copied again. */
const SAVE_RETRY_MS = 50;

/** Creates the number unless it exists, and then writes nothing, so that a read-only file works too. */
export function addSequence(database: SqliteDatabase): void {
  database.exec(SEQUENCE_TABLE);
  if (database.prepare(SEQUENCE).all().length === 0) database.exec(FIRST_SEQUENCE);
}

/** Detects that the file of an open database was replaced, removed or overwritten. To be created after a first write. */
export class FileWatch {
  readonly path: string;
  readonly #file: OpenedFile;
  readonly #raise: SqliteStatement;
  #sequence = 0;
  readonly #database: SqliteDatabase;

  /** @param path The path by which the database was opened, if known. It may be a link. */
  constructor(database: SqliteDatabase, path: string | undefined) {
    this.#database = database;
    const file = readDatabasePath(database);
    this.path = path ?? file;
    this.#file = new OpenedFile({ file: this.path, log: `${file}-wal`, index: `${file}-shm` });
    this.#raise = database.prepare(RAISE_SEQUENCE);
  }

  /** Whether the log may have been truncated. To be asked before each commit: a restart finds nothing behind the cut. */
  get hasLogShrunk(): boolean {
    return this.#file.hasLogShrunk;
  }

  /**
   * Makes SQLite start a new log, as it has already done if a checkpoint shrank the log. If a reader prevents that, the
   * next write tries again.
   */
  restartLog(): void {
    const [row] = this.#checkpoint('TRUNCATE');
    if (Number(row?.busy) === 0) this.#file.acceptLog();
  }

  /**
   * To be called before each write transaction. SQLite does not notice that another file was copied over this one: it
   * would go on with its cached pages, and write some of them into a file that lacks the others.
   */
  dropCachedPages(): void {
    this.#database.exec('PRAGMA shrink_memory');
  }

  /** To be called in each write transaction. Returns the number to pass to {@link checkAfterCommit}. */
  raiseSequence(): number {
    let row: SqlRow | undefined;
    try {
      [row] = this.#raise.all() as SqlRow[];
    } catch (error) {
      if (!isUnknownTable(error)) throw error;
    }
    const number = Number(row?.number);
    if (!(number > this.#sequence)) throw FileLost.goneBack(this.path);
    return number;
  }

  /** To be called after each commit, before any caller gets an answer. @throws FileLost */
  checkAfterCommit(sequence: number): void {
    this.#sequence = sequence;
    const { changed, hasShrunk } = this.#file.findChanges();
    const [lost] = changed;
    if (lost) {
      void this.#saveLog();
      throw FileLost.since(`${this.#file.paths[lost]} was replaced, removed or emptied while it was in use`);
    }
    if (hasShrunk.file && this.#isDamaged())
      throw FileLost.since(`${this.path} was truncated while it was in use`);
    if (hasShrunk.log) this.#checkpoint('PASSIVE');
  }

  /**
   * Copies the contents of the log into the file.
   *
   * @throws FileLost if they are damaged or missing.
   */
  #checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): SqlRow[] {
    try {
      return this.#database.prepare(`PRAGMA wal_checkpoint(${mode})`).all() as SqlRow[];
    } catch (error) {
      if (!isCorrupt(error)) throw error;
      throw FileLost.since(`The log of ${this.path} was truncated while it was in use`, error);
    }
  }

  /**
   * Copies a log in danger into the file: what only a removed log holds would be lost with this process. Tries again in
   * the background while a reader, a lock or a full disk prevents that.
   */
  async #saveLog(): Promise<void> {
    while (!this.#copyLog()) await sleep(SAVE_RETRY_MS, undefined, { ref: false });
  }

  /** Returns false if it must be tried again, which is of no use once the handle is closed or the log is damaged. */
  #copyLog(): boolean {
    try {
      if (!this.#file.findChanges().isLogInDanger) return true;
      const [row] = this.#checkpoint('PASSIVE');
      return Number(row?.busy) === 0 && row?.checkpointed === row?.log;
    } catch (error) {
      return !isFromSqlite(error);
    }
  }

  /** VACUUM shrinks a file too, so the file itself is checked, without the pages that SQLite has cached. */
  #isDamaged(): boolean {
    try {
      this.dropCachedPages();
      const [row] = this.#database.prepare('PRAGMA quick_check(1)').all() as SqlRow[];
      return row?.quick_check !== 'ok';
    } catch (error) {
      if (isCorrupt(error)) return true;
      throw error;
    }
  }
}

/** The path as SQLite resolved it: absolute, without links. */
export function readDatabasePath(database: SqliteDatabase): string {
  const rows = database.prepare('PRAGMA database_list').all() as SqlRow[];
  return String(rows.find(({ name }) => name === 'main')?.file);
}
