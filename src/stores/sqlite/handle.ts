import type { Batch } from '../batching/batch.js';
import type { Call } from '../call.js';
import type { AdvanceRow } from '../sql/advance-statement.js';
import type { SqlRow, SqlValue } from '../sql/sql-runner.js';
import type { ReadStatement, Statement } from '../sql/statement.js';
import type { Durability } from '../store.js';
import { SqliteConnection } from './connection.js';
import type { SqliteDatabase } from './driver.js';
import type { SqliteEngine } from './engine.js';
import { readDatabasePath } from './file-watch.js';
import { encodeAdvanceRows } from './sqlite-dialect.js';

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
    return this.#connection.migrate(call);
  }

  run(statement: Statement, parameters: readonly SqlValue[], call: Call<SqlRow[]>): Promise<SqlRow[]> {
    return this.#connection.run(statement, parameters, call);
  }

  async find(
    statement: ReadStatement,
    id: string,
    call: Call<SqlRow | undefined>,
  ): Promise<SqlRow | undefined> {
    return (await this.#connection.findAll(statement, [id], call))[0];
  }

  advance(batch: Batch<AdvanceRow>): Promise<SqlRow[]> {
    return this.#connection.advance(() => encodeAdvanceRows(batch.items), batch);
  }

  probe(call: Call<void>): Promise<void> {
    return this.#connection.probe(call);
  }

  /** Does nothing: the application owns the database. */
  async close(): Promise<void> {}
}
