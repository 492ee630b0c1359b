import { Finder, isRead, SCHEMA_VERSION, type SqlRow, type SqlValue } from '../sql.js';
import type { Durability } from '../store.js';
import type { SqliteEngine } from './engine.js';
import type { ThreadOptions } from './messages.js';
import { SqliteThread } from './thread.js';

/**
 * Two threads on one file: one writes, and one reads, so that what only reads waits for no sync. Where one of them fails,
 * neither is used any more, so that nobody takes a store that only reads for one that works.
 */
export class SqliteThreads implements SqliteEngine {
  private readonly writer: SqliteThread;
  private readonly reader: SqliteThread;
  private readonly finder: Finder;

  constructor(options: ThreadOptions) {
    this.writer = new SqliteThread(options, (error) => this.reader.refuse(error));
    this.reader = new SqliteThread(options, (error) => this.writer.refuse(error));
    this.finder = new Finder((sql, ids) => this.reader.call(['findAll', sql, ids]));
  }

  async migrate(): Promise<Durability> {
    const durability = await this.writer.call<Durability>(['migrate']);
    // Opens it before somebody waits for it.
    await this.reader.call(['run', SCHEMA_VERSION, []]);
    return durability;
  }

  run(sql: string, parameters: readonly SqlValue[]): Promise<SqlRow[]> {
    return (isRead(sql) ? this.reader : this.writer).call(['run', sql, parameters]);
  }

  find(sql: string, id: string): Promise<SqlRow | undefined> {
    return this.finder.find(sql, id);
  }

  advance(take: () => string, since: number): Promise<SqlRow[]> {
    return this.writer.call(['advance', take(), since]);
  }

  async close(): Promise<void> {
    await Promise.all([this.reader.close(), this.writer.close()]);
  }
}
