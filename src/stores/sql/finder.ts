import type { SqlRow } from './run.js';

interface Call {
  readonly id: string;
  resolve(row: SqlRow | undefined): void;
  reject(error: unknown): void;
}

/** Lets those that look for rows in one turn of the event loop share a message, or a round trip. */
export class Finder {
  private readonly calls = new Map<string, Call[]>();

  constructor(
    private readonly findAll: (sql: string, ids: readonly string[]) => Promise<(SqlRow | undefined)[]>,
  ) {}

  find(sql: string, id: string): Promise<SqlRow | undefined> {
    return new Promise((resolve, reject) => {
      const call = { id, resolve, reject };
      const calls = this.calls.get(sql);
      if (calls) calls.push(call);
      else {
        this.calls.set(sql, [call]);
        setImmediate(() => void this.ask(sql));
      }
    });
  }

  private async ask(sql: string): Promise<void> {
    const calls = this.calls.get(sql) as Call[];
    this.calls.delete(sql);
    try {
      const rows = await this.findAll(
        sql,
        calls.map(({ id }) => id),
      );
      calls.forEach(({ resolve }, n) => {
        resolve(rows[n]);
      });
    } catch (error) {
      for (const { reject } of calls) reject(error);
    }
  }
}
