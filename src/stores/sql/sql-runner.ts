export type SqlValue = string | number | null | Uint8Array;
export type SqlRow = Record<string, unknown>;

/** Runs one statement, with `?` for its parameters, in its own transaction, which is durable once it resolves. */
export type RunSql = (sql: string, parameters: readonly SqlValue[]) => Promise<SqlRow[]>;

/** Reads the row with an id, by a statement that ends in `WHERE id = ?`. */
export type FindSql = (sql: string, id: string) => Promise<SqlRow | undefined>;

/** Turns such a statement into one for an array of ids, in PostgreSQL. */
export const forManyIds = (sql: string) => sql.replace('WHERE id = ?', 'WHERE id = ANY (?::text[])');

/** How a database runs statements. */
export interface SqlRunner {
  readonly run: RunSql;
  readonly find: FindSql;
}

export const isRead = (sql: string) => sql.startsWith('SELECT');
