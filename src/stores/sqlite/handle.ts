import type { Batch } from '../batch-writer.js';
import type { Call } from '../calls.js';
import type { AdvanceRow, SqlRow, SqlValue } from '../sql/sql-stores.js';
import type { Durability } from '../store.js';
import { SqliteConnection } from './connection.js';
import type { SqliteDatabase } from './driver.js';
import { type Advanced, jsonOf, type SqliteEngine } from './engine.js';
import { pathOf } from './file-watch.js';
import { waiterOf } from './waiter.js';

/** An open database of the application's, in the thread that calls. */
export class SqliteHandle implements SqliteEngine {
  readonly #connection: SqliteConnection;
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
    this.#connection = new SqliteConnection(database);
  }

  get path(): string {
    return pathOf(this.#database);
  }

  migrate(call: Call<Durability>): Promise<Durability> {
    return this.#connection.migrate(waiterOf(call));
  }

  run(sql: string, parameters: readonly SqlValue[], call: Call<SqlRow[]>): Promise<SqlRow[]> {
    return this.#connection.run(
      sql,
      parameters,
      waiterOf(call, () => call.sent()),
    );
  }

  async find(sql: string, id: string, call: Call<SqlRow | undefined>): Promise<SqlRow | undefined> {
    return (await this.#connection.findAll(sql, [id], waiterOf(call)))[0];
  }

  async advance(batch: Batch<AdvanceRow>): Promise<Advanced> {
    let rows: readonly AdvanceRow[] = [];
    const advanced = await this.#connection.advance(() => jsonOf(rows), {
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
    return this.#connection.probe(waiterOf(call, () => call.sent()));
  }

  /** The database is its owner's. */
  async close(): Promise<void> {}
}
