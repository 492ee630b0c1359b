import type { Batch } from '../batch-writer.js';
import type { Call } from '../calls.js';
import type { AdvanceRow, SqlRow, SqlValue } from '../sql/sql-stores.js';
import type { Durability } from '../store.js';
import { SqliteConnection } from './connection.js';
import type { SqliteDatabase } from './driver.js';
import { type AdvancedRows, encodeAdvanceRows, type SqliteEngine } from './engine.js';
import { readDatabasePath } from './file-watch.js';
import { createWaiter } from './waiter.js';

/** An open database of the application, used in the calling thread. */
export class SqliteHandle implements SqliteEngine {
  readonly #connection: SqliteConnection;
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
    this.#connection = new SqliteConnection(database);
  }

  get path(): string {
    return readDatabasePath(this.#database);
  }

  migrate(call: Call<Durability>): Promise<Durability> {
    return this.#connection.migrate(createWaiter(call));
  }

  run(sql: string, parameters: readonly SqlValue[], call: Call<SqlRow[]>): Promise<SqlRow[]> {
    return this.#connection.run(
      sql,
      parameters,
      createWaiter(call, () => call.sent()),
    );
  }

  async find(sql: string, id: string, call: Call<SqlRow | undefined>): Promise<SqlRow | undefined> {
    return (await this.#connection.findAll(sql, [id], createWaiter(call)))[0];
  }

  async advance(batch: Batch<AdvanceRow>): Promise<AdvancedRows> {
    let rows: readonly AdvanceRow[] = [];
    const advanced = await this.#connection.advance(() => encodeAdvanceRows(rows), {
      get isWanted() {
        return batch.isWanted;
      },
      begin: () => {
        rows = batch.take();
        return rows.length > 0;
      },
      waitsFor: (obstacle) => batch.waitsFor(obstacle),
    });
    return { rows, advanced };
  }

  probe(call: Call<void>): Promise<void> {
    return this.#connection.probe(createWaiter(call, () => call.sent()));
  }

  /** Does nothing: the application owns the database. */
  async close(): Promise<void> {}
}
