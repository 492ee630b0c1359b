import type { FindSql, RunSql, SqlRow } from '../sql.js';
import type { Durability } from '../store.js';

/** What works for a `SqliteStore`: an open database in this thread, or threads that open a file. */
export interface SqliteEngine {
  /** Makes the database durable, reads that back, and brings its tables up to date. */
  migrate(): Promise<Durability>;
  readonly run: RunSql;
  readonly find: FindSql;
  /** Runs `ADVANCE_MANY_JSON` with what it takes as late as it can. */
  advance(take: () => string, since: number): Promise<SqlRow[]>;
  close(): Promise<void>;
}
