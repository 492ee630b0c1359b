import type { YubikeyError } from '../../errors.js';
import type { Batch } from '../batching/batch.js';
import type { Call } from '../call.js';
import type { AdvanceRow } from '../sql/advance-statement.js';
import { Finder } from '../sql/finder.js';
import { SCHEMA_VERSION } from '../sql/schema.js';
import type { SqlRow, SqlValue } from '../sql/sql-runner.js';
import type { ReadStatement, Statement } from '../sql/statement.js';
import type { Durability } from '../store.js';
import { CallStates } from './call-states.js';
import type { SqliteEngine } from './engine.js';
import type { ReadJob, ThreadJob, ThreadOptions, WriteJob } from './messages.js';
import { encodeAdvanceRows } from './sqlite-dialect.js';
import { SqliteThread } from './thread.js';

/**
 * Two threads on one file: one that writes, and one that reads, so that reads never wait for a sync. If one of them fails,
 * the other is no longer used either: a store that can only read must not be taken for a working one.
 */
export class SqliteThreads implements SqliteEngine {
  readonly path: string;
  readonly #writer: SqliteThread<WriteJob>;
  readonly #reader: SqliteThread<ReadJob>;
  readonly #finder: Finder<ReadStatement>;
  readonly #timeout: number;

  constructor(options: ThreadOptions, timeout: number, onFault: (error: YubikeyError) => void) {
    this.#timeout = timeout;
    this.path = options.path;
    const end = (error: YubikeyError) => {
      this.#writer.refuse(error);
      this.#reader.refuse(error);
      onFault(error);
    };
    this.#writer = new SqliteThread(options, timeout, end);
    this.#reader = new SqliteThread(options, timeout, end);
    this.#finder = new Finder((statement, ids) => this.#findAll(statement, ids));
  }

  async migrate(call: Call<Durability>): Promise<Durability> {
    const durability = await this.#ask<WriteJob, Durability>(this.#writer, ['migrate'], call);
    // Opens the file before the first caller waits for it.
    await this.#ask(this.#reader, ['run', SCHEMA_VERSION, []], call);
    return durability;
  }

  run(statement: Statement, parameters: readonly SqlValue[], call: Call<SqlRow[]>): Promise<SqlRow[]> {
    return statement.kind === 'read'
      ? this.#ask(this.#reader, ['run', statement, parameters], call)
      : this.#ask(this.#writer, ['run', statement, parameters], call);
  }

  find(statement: ReadStatement, id: string): Promise<SqlRow | undefined> {
    return this.#finder.find(statement, id);
  }

  advance(batch: Batch<AdvanceRow>): Promise<SqlRow[]> {
    batch.fix();
    const callStates = CallStates.create(batch.items.length);
    batch.handOver(callStates);
    return this.#writer.run(['advance', encodeAdvanceRows(batch.items)], callStates, batch);
  }

  probe(call: Call<void>): Promise<void> {
    return this.#ask(this.#writer, ['probe'], call);
  }

  async close(): Promise<void> {
    const closings = [this.#reader.close(), this.#writer.close()];
    await Promise.allSettled(closings);
    await Promise.all(closings);
  }

  #ask<Job extends ThreadJob, T>(
    thread: SqliteThread<Job>,
    job: NoInfer<Job>,
    call: Call<unknown>,
  ): Promise<T> {
    const callStates = CallStates.create(1);
    call.handOver(callStates);
    return thread.run(job, callStates, call);
  }

  async #findAll(statement: ReadStatement, ids: readonly string[]): Promise<(SqlRow | undefined)[]> {
    const callStates = CallStates.create(1);
    const timer = setTimeout(() => callStates.giveUp(0), this.#timeout).unref();
    try {
      return await this.#reader.run(['findAll', statement, ids], callStates);
    } finally {
      clearTimeout(timer);
    }
  }
}
