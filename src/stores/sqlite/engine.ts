import type { Batch } from '../batching/batch.js';
import type { Call } from '../call.js';
import type { AdvanceRow } from '../sql/advance-statement.js';
import type { SqlRow, SqlValue } from '../sql/sql-runner.js';
import type { ReadStatement, Statement } from '../sql/statement.js';
import type { Durability } from '../store.js';

/** The engine of a `SqliteStore`: an open database in this thread, or threads that open a file. */
export interface SqliteEngine {
  /** The path of the file, for messages. */
  readonly path: string;
  /** Makes the database durable, checks that it is, and brings its tables up to date. */
  migrate(call: Call<Durability>): Promise<Durability>;
  run(statement: Statement, parameters: readonly SqlValue[], call: Call<SqlRow[]>): Promise<SqlRow[]>;
  find(statement: ReadStatement, id: string, call: Call<SqlRow | undefined>): Promise<SqlRow | undefined>;
  /** Writes a batch. Resolves with a row for each of its items that was newer, in any order. */
  advance(batch: Batch<AdvanceRow>): Promise<SqlRow[]>;
  /** Runs a write transaction that changes no record. */
  probe(call: Call<void>): Promise<void>;
  close(): Promise<void>;
}
