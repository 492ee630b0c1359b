import type { Batch } from '../batch-writer.js';
import type { Call } from '../calls.js';
import type { AdvanceRow, SqlRow, SqlValue } from '../sql/sql-stores.js';
import type { Durability } from '../store.js';

/** The engine of a `SqliteStore`: an open database in this thread, or threads that open a file. */
export interface SqliteEngine {
  /** The path of the file, for messages. */
  readonly path: string;
  /** Makes the database durable, checks that it is, and brings its tables up to date. */
  migrate(call: Call<Durability>): Promise<Durability>;
  run(sql: string, parameters: readonly SqlValue[], call: Call<SqlRow[]>): Promise<SqlRow[]>;
  find(sql: string, id: string, call: Call<SqlRow | undefined>): Promise<SqlRow | undefined>;
  advance(batch: Batch<AdvanceRow>): Promise<AdvancedRows>;
  /** Runs a write transaction that changes no record. */
  probe(call: Call<void>): Promise<void>;
  close(): Promise<void>;
}

export interface AdvancedRows {
  /** The rows that were taken from the batch. */
  readonly rows: readonly AdvanceRow[];
  /** The rows that the statement returned, in any order: one for each row that was newer. */
  readonly advanced: readonly SqlRow[];
}

/** Encodes rows for `ADVANCE_MANY_JSON`. */
export const encodeAdvanceRows = (rows: readonly AdvanceRow[]) =>
  JSON.stringify(rows.map(({ values }) => values));
