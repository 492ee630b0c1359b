import type { RecordKind, Row, RowTable } from '../records.js';
import type { SqlRow, SqlRunner, SqlValue } from './sql-runner.js';

export class SqlTable implements RowTable {
  readonly #secretNames: readonly string[];
  readonly #statements: Record<'get' | 'add' | 'replace' | 'delete' | 'first' | 'next', string>;
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
    const select = `SELECT ${columns.join(', ')} FROM ${table}`;
    this.#statements = {
      get: `${select} WHERE id = ?`,
      add: `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})
        ON CONFLICT (id) DO NOTHING RETURNING id`,
      replace: `UPDATE ${table} SET ${changing.map((column) => `${column} = ?`).join(', ')}
        WHERE id = ? AND revision = ? RETURNING id`,
      delete: `DELETE FROM ${table} WHERE id = ? RETURNING id`,
      first: `${select} ORDER BY id LIMIT ?`,
      next: `${select} WHERE id > ? ORDER BY id LIMIT ?`,
    };
  }

  async get(id: string): Promise<Row | undefined> {
    const row = await this.#sql.find(this.#statements.get, id);
    return row && this.#toRow(row);
  }

  async add(row: Row): Promise<boolean> {
    const values = [row.id, ...this.#changingValues(row), row.createdAt.getTime()];
    return (await this.#sql.run(this.#statements.add, values)).length === 1;
  }

  async replace(row: Row, revision: string): Promise<boolean> {
    return (
      (await this.#sql.run(this.#statements.replace, [...this.#changingValues(row), row.id, revision]))
        .length === 1
    );
  }

  async list(after: string | undefined, limit: number): Promise<Row[]> {
    const { first, next } = this.#statements;
    const rows = await (after === undefined
      ? this.#sql.run(first, [limit])
      : this.#sql.run(next, [after, limit]));
    return rows.map((row) => this.#toRow(row));
  }

  async delete(id: string): Promise<boolean> {
    return (await this.#sql.run(this.#statements.delete, [id])).length === 1;
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
