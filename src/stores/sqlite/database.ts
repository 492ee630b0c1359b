/** An open SQLite database: `DatabaseSync` of `node:sqlite`, or a `Database` of `libsql` or `better-sqlite3`. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
}

export interface SqliteStatement {
  // biome-ignore lint/suspicious/noExplicitAny: each driver types its parameters in its own way
  all(...parameters: any[]): unknown[];
}
