import type { SqlRow } from '../sql.js';
import type { SqliteDatabase, SqliteStatement } from './database.js';
import { FileLost, isBusy, isCorrupt, isUnknownTable } from './faults.js';
import { OpenedFile } from './opened-file.js';

/** A number that each write raises: in a file that was copied over this one, it is lower. */
export const SEQUENCE_TABLE = `
  CREATE TABLE IF NOT EXISTS yubikey_sequence (number INTEGER NOT NULL);
  INSERT INTO yubikey_sequence SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM yubikey_sequence)`;
const RAISE_SEQUENCE = 'UPDATE yubikey_sequence SET number = number + 1 RETURNING number';

/** Finds out that the file of an open database was replaced, removed or overwritten. Made after a first write. */
export class FileWatch {
  readonly path: string;
  private readonly file: OpenedFile;
  private readonly raise: SqliteStatement;
  private sequence = 0;

  /** `path` is the one by which it was opened, if it is known: it may be a link. */
  constructor(
    private readonly database: SqliteDatabase,
    path: string | undefined,
  ) {
    const file = pathOf(database);
    this.path = path ?? file;
    this.file = new OpenedFile({ file: this.path, log: `${file}-wal`, index: `${file}-shm` });
    this.raise = database.prepare(RAISE_SEQUENCE);
  }

  /** To be called before each transaction. A log that was cut must not be written on: no start would find what follows. */
  before(): void {
    if (!this.file.hasLessLog) return;
    try {
      const [row] = this.database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all() as SqlRow[];
      if (Number(row?.busy) !== 0)
        throw Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' });
    } catch (error) {
      if (isBusy(error)) throw error;
      throw FileLost.since(`The log of ${this.path} was cut while it was in use`, error);
    }
  }

  /** To be called in each transaction that writes; gives what {@link after} is to be told. */
  raiseSequence(): number {
    let row: SqlRow | undefined;
    try {
      [row] = this.raise.all() as SqlRow[];
    } catch (error) {
      if (!isUnknownTable(error)) throw error;
    }
    const number = Number(row?.number);
    if (!(number > this.sequence)) throw FileLost.goneBack(this.path);
    return number;
  }

  /** To be called after each commit, before anybody is told of it. */
  after(sequence: number): void {
    this.sequence = sequence;
    const { changed, isSmaller } = this.file.look();
    const [lost] = changed;
    if (lost) {
      if (!changed.includes('file')) this.saveLog();
      throw FileLost.since(`${this.file.paths[lost]} was replaced, removed or emptied while it was in use`);
    }
    if (isSmaller && this.isDamaged()) throw FileLost.since(`${this.path} was cut while it was in use`);
  }

  /** What the log holds that has no name any more would be gone with this process. */
  private saveLog(): void {
    try {
      this.database.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } catch {
      // The file is lost in any case.
    }
  }

  /** A file also becomes smaller by VACUUM. It is read anew, not from what SQLite remembers of it. */
  private isDamaged(): boolean {
    try {
      this.database.exec('PRAGMA shrink_memory');
      const [row] = this.database.prepare('PRAGMA quick_check(1)').all() as SqlRow[];
      return row?.quick_check !== 'ok';
    } catch (error) {
      if (isCorrupt(error)) return true;
      throw error;
    }
  }
}

/** As SQLite found it: absolute, and without links. */
export function pathOf(database: SqliteDatabase): string {
  const rows = database.prepare('PRAGMA database_list').all() as SqlRow[];
  return String(rows.find(({ name }) => name === 'main')?.file);
}
