import type { SqlRow } from './sql-runner.js';

interface FindCall {
  readonly id: string;
  resolve(row: SqlRow | undefined): void;
  reject(error: unknown): void;
}

/** Bounds how long one answer keeps the event loop busy. */
const MOST_IN_MESSAGE = 128;

/** Lets those that look for rows in one turn of the event loop share a message, or a round trip. */
export class Finder {
  /** The calls of each statement that still take others along. */
  readonly #calls = new Map<string, FindCall[]>();
  readonly #findAll: (sql: string, ids: readonly string[]) => Promise<(SqlRow | undefined)[]>;

  constructor(findAll: (sql: string, ids: readonly string[]) => Promise<(SqlRow | undefined)[]>) {
    this.#findAll = findAll;
  }

  find(sql: string, id: string): Promise<SqlRow | undefined> {
    return new Promise((resolve, reject) => {
      const call = { id, resolve, reject };
      const others = this.#calls.get(sql);
      if (others && others.length < MOST_IN_MESSAGE) {
        others.push(call);
        return;
      }
      const calls = [call];
      this.#calls.set(sql, calls);
      setImmediate(() => void this.#ask(sql, calls));
    });
  }

  async #ask(sql: string, calls: readonly FindCall[]): Promise<void> {
    if (this.#calls.get(sql) === calls) this.#calls.delete(sql);
    try {
      const rows = await this.#findAll(
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
