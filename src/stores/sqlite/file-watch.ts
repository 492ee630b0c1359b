import type { SqlRow } from '../sql/sql-stores.js';
import type { SqliteDatabase, SqliteStatement } from './driver.js';
import { OpenedFile } from './opened-file.js';
import { FileLost, isCorrupt, isUnknownTable } from './sqlite-faults.js';

/** A number that each write raises: in a file that was copied over this one, it is lower. */
const SEQUENCE_TABLE = 'CREATE TABLE IF NOT EXISTS yubikey_sequence (number INTEGER NOT NULL)';
const SEQUENCE = 'SELECT number FROM yubikey_sequence';
const FIRST_SEQUENCE = 'INSERT INTO yubikey_sequence VALUES (0)';
const RAISE_SEQUENCE = 'UPDATE yubikey_sequence SET number = number + 1 RETURNING number';

/** A file that can only be read is one that has the number already. */
export function addSequence(database: SqliteDatabase): void {
  database.exec(SEQUENCE_TABLE);
  if (database.prepare(SEQUENCE).all().length === 0) database.exec(FIRST_SEQUENCE);
}

/** Finds out that the file of an open database was replaced, removed or overwritten. Made after a first write. */
export class FileWatch {
  readonly path: string;
  readonly #file: OpenedFile;
  readonly #raise: SqliteStatement;
  #sequence = 0;
  readonly #database: SqliteDatabase;

  /** `path` is the one by which it was opened, if it is known: it may be a link. */
  constructor(database: SqliteDatabase, path: string | undefined) {
    this.#database = database;
    const file = readDatabasePath(database);
    this.path = path ?? file;
    this.#file = new OpenedFile({ file: this.path, log: `${file}-wal`, index: `${file}-shm` });
    this.#raise = database.prepare(RAISE_SEQUENCE);
  }

  /** Whether the log may have been cut, to be asked before each commit: no start would find what is written behind. */
  get hasLogShrunk(): boolean {
    return this.#file.hasLogShrunk;
  }

  /**
   * Makes SQLite begin the log anew, as it has where the log became smaller by a checkpoint. Where a reader keeps it from
   * that, the next write tries again.
   */
  restartLog(): void {
    const [row] = this.#checkpoint('TRUNCATE');
    if (Number(row?.busy) === 0) this.#file.acceptLog();
  }

  /**
   * To be called before each transaction that writes. Nothing tells SQLite of a file that was copied over this one: it
   * would go on with the pages that it remembers, and write some of them into a file that lacks the others.
   */
  forgetPages(): void {
    this.#database.exec('PRAGMA shrink_memory');
  }

  /** To be called in each transaction that writes; gives what {@link checkAfterCommit} is to be told. */
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

  /** To be called after each commit, before anybody is told of it. */
  checkAfterCommit(sequence: number): void {
    this.#sequence = sequence;
    const { changed, hasShrunk } = this.#file.findChanges();
    const [lost] = changed;
    if (lost) {
      if (changed.includes('log') && !changed.includes('file')) this.#saveLog();
      throw FileLost.since(`${this.#file.paths[lost]} was replaced, removed or emptied while it was in use`);
    }
    if (hasShrunk.file && this.#isDamaged()) throw FileLost.since(`${this.path} was cut while it was in use`);
    if (hasShrunk.log) this.#checkpoint('PASSIVE');
  }

  /**
   * Puts what the log holds into the file.
   *
   * @throws FileLost where that is not there.
   */
  #checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): SqlRow[] {
    try {
      return this.#database.prepare(`PRAGMA wal_checkpoint(${mode})`).all() as SqlRow[];
    } catch (error) {
      if (!isCorrupt(error)) throw error;
      throw FileLost.since(`The log of ${this.path} was cut while it was in use`, error);
    }
  }

  /** What the log holds that has no name any more would be gone with this process. */
  #saveLog(): void {
    try {
      this.#checkpoint('PASSIVE');
    } catch {
      // The file is lost in any case.
    }
  }

  /** A file also becomes smaller by VACUUM. All of it is read anew, not from what SQLite remembers. */
  #isDamaged(): boolean {
    try {
      this.forgetPages();
      const [row] = this.#database.prepare('PRAGMA quick_check(1)').all() as SqlRow[];
      return row?.quick_check !== 'ok';
    } catch (error) {
      if (isCorrupt(error)) return true;
      throw error;
    }
  }
}

/** As SQLite found it: absolute, and without links. */
export function readDatabasePath(database: SqliteDatabase): string {
  const rows = database.prepare('PRAGMA database_list').all() as SqlRow[];
  return String(rows.find(({ name }) => name === 'main')?.file);
}
