import type { SqlRow } from './sql-runner.js';

interface FindCall {
  readonly id: string;
  resolve(row: SqlRow | undefined): void;
  reject(error: unknown): void;
}

/** Limits how long one answer keeps the event loop busy. */
const MAX_IDS_IN_MESSAGE = 128;

/** Lets callers that look for rows in the same turn of the event loop share one message or round trip. */
export class Finder<Statement> {
  /** By statement, the calls of this turn that others may still join. */
  readonly #calls = new Map<Statement, FindCall[]>();
  readonly #findAll: (statement: Statement, ids: readonly string[]) => Promise<(SqlRow | undefined)[]>;

  constructor(findAll: (statement: Statement, ids: readonly string[]) => Promise<(SqlRow | undefined)[]>) {
    this.#findAll = findAll;
  }

  find(statement: Statement, id: string): Promise<SqlRow | undefined> {
    return new Promise((resolve, reject) => {
      const call = { id, resolve, reject };
      const others = this.#calls.get(statement);
      if (others && others.length < MAX_IDS_IN_MESSAGE) {
        others.push(call);
        return;
      }
      const calls = [call];
      this.#calls.set(statement, calls);
      setImmediate(() => void this.#ask(statement, calls));
    });
  }

  async #ask(statement: Statement, calls: readonly FindCall[]): Promise<void> {
    if (this.#calls.get(statement) === calls) this.#calls.delete(statement);
    try {
      const rows = await this.#findAll(
        statement,
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
