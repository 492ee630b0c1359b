export type SqlValue = string | number | null | Uint8Array;
export type SqlRow = Record<string, unknown>;

/** Runs one statement, with `?` for its parameters, in a transaction of its own: durable once it resolves. */
export type RunSql = (sql: string, parameters: readonly SqlValue[]) => Promise<SqlRow[]>;
