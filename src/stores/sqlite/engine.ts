import type { Batch } from '../batch-writer.js';
import type { Call } from '../calls.js';
import type { AdvanceRow, SqlRow, SqlValue } from '../sql/sql-stores.js';
import type { Durability } from '../store.js';

/** What works for a `SqliteStore`: an open database in this thread, or threads that open a file. */
export interface SqliteEngine {
  /** For messages. */
  readonly path: string;
  /** Makes the database durable, reads that back, and brings its tables up to date. */
  migrate(call: Call<Durability>): Promise<Durability>;
  run(sql: string, parameters: readonly SqlValue[], call: Call<SqlRow[]>): Promise<SqlRow[]>;
  find(sql: string, id: string, call: Call<SqlRow | undefined>): Promise<SqlRow | undefined>;
  advance(batch: Batch<AdvanceRow>): Promise<AdvancedRows>;
  /** Writes nothing, durably. */
  probe(call: Call<void>): Promise<void>;
  close(): Promise<void>;
}

export interface AdvancedRows {
  /** What was taken of the batch. */
  readonly rows: readonly AdvanceRow[];
  /** What the statement gave for those that are newer, in any order. */
  readonly advanced: readonly SqlRow[];
}

/** What `ADVANCE_MANY_JSON` takes. */
export const encodeAdvanceRows = (rows: readonly AdvanceRow[]) =>
  JSON.stringify(rows.map(({ values }) => values));
