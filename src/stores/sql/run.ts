export type SqlValue = string | number | null | Uint8Array;
export type SqlRow = Record<string, unknown>;

/** Runs one statement, with `?` for its parameters, in a transaction of its own: durable once it resolves. */
export type RunSql = (sql: string, parameters: readonly SqlValue[]) => Promise<SqlRow[]>;

/** Reads the one row with an id, which is the statement's only parameter. */
export type FindSql = (sql: string, id: string) => Promise<SqlRow | undefined>;

/** How a database runs statements. */
export interface SqlRunner {
  readonly run: RunSql;
  readonly find: FindSql;
}
