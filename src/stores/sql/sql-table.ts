import type { RecordKind, Row, RowTable } from '../records.js';
import { prepareReadPage, type ReadPage } from './read-page.js';
import type { FindRow, SqlRow, SqlRunner, SqlValue } from './sql-runner.js';
import { type Selection, type WriteStatement, writeStatement } from './statement.js';

export class SqlTable implements RowTable {
  readonly #secretNames: readonly string[];
  readonly #writes: Record<'add' | 'replace' | 'delete', WriteStatement>;
  readonly #find: FindRow;
  readonly #readPage: ReadPage;
  readonly #sql: SqlRunner;

  constructor(
    table: string,
    { secretNames }: Pick<RecordKind<unknown, unknown>, 'secretNames'>,
    sql: SqlRunner,
  ) {
    this.#sql = sql;
    this.#secretNames = secretNames;
    const changing = [...secretNames, 'notes', 'active', 'revision'];
    const columns = ['id', ...changing, 'created_at'];
    const rows: Selection = `SELECT ${columns.join(', ')} FROM ${table}`;
    this.#find = sql.prepareFind(rows);
    this.#readPage = prepareReadPage(sql, rows);
    const at = (position: number) => sql.placeholder(position);
    this.#writes = {
      add: writeStatement(`INSERT INTO ${table} (${columns.join(', ')})
        VALUES (${columns.map((_, n) => at(n + 1)).join(', ')}) ON CONFLICT (id) DO NOTHING RETURNING id`),
      replace:
        writeStatement(`UPDATE ${table} SET ${changing.map((column, n) => `${column} = ${at(n + 1)}`).join(', ')}
        WHERE id = ${at(changing.length + 1)} AND revision = ${at(changing.length + 2)} RETURNING id`),
      delete: writeStatement(`DELETE FROM ${table} WHERE id = ${at(1)} RETURNING id`),
    };
  }

  async get(id: string): Promise<Row | undefined> {
    const row = await this.#find(id);
    return row && this.#toRow(row);
  }

  async add(row: Row): Promise<boolean> {
    const values = [row.id, ...this.#changingValues(row), row.createdAt.getTime()];
    return (await this.#sql.run(this.#writes.add, values)).length === 1;
  }

  async replace(row: Row, revision: string): Promise<boolean> {
    const values = [...this.#changingValues(row), row.id, revision];
    return (await this.#sql.run(this.#writes.replace, values)).length === 1;
  }

  async list(after: string | undefined, limit: number): Promise<Row[]> {
    return (await this.#readPage(after, limit)).map((row) => this.#toRow(row));
  }

  async delete(id: string): Promise<boolean> {
    return (await this.#sql.run(this.#writes.delete, [id])).length === 1;
  }

  #changingValues({ secrets, notes, active, revision }: Row): SqlValue[] {
    return [...secrets.map((secret) => secret ?? null), notes, Number(active), revision];
  }

  #toRow(row: SqlRow): Row {
    return {
      id: String(row.id),
      secrets: this.#secretNames.map((name) => (row[name] === null ? undefined : toBytes(row[name]))),
      notes: String(row.notes),
      active: Number(row.active) === 1,
      createdAt: new Date(Number(row.created_at)),
      revision: String(row.revision),
    };
  }
}

/** libsql returns an ArrayBuffer, the other drivers a view. */
function toBytes(blob: unknown): Uint8Array {
  return blob instanceof ArrayBuffer ? new Uint8Array(blob) : (blob as Uint8Array);
}
