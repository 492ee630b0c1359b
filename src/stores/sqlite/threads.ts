import type { YubikeyError } from '../../errors.js';
import type { Batch } from '../batch-writer.js';
import type { Call } from '../calls.js';
import {
  type AdvanceRow,
  Finder,
  isRead,
  SCHEMA_VERSION,
  type SqlRow,
  type SqlValue,
} from '../sql/sql-stores.js';
import type { Durability } from '../store.js';
import { CallStates } from './call-states.js';
import { type AdvancedRows, encodeAdvanceRows, type SqliteEngine } from './engine.js';
import type { ThreadJob, ThreadOptions } from './messages.js';
import { SqliteThread } from './thread.js';

/**
 * Two threads on one file: one that writes, and one that reads, so that reads never wait for a sync. If one of them fails,
 * the other is no longer used either: a store that can only read must not be taken for a working one.
 */
export class SqliteThreads implements SqliteEngine {
  readonly path: string;
  readonly #writer: SqliteThread;
  readonly #reader: SqliteThread;
  readonly #finder: Finder;
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
    this.#finder = new Finder((sql, ids) => this.#findAll(sql, ids));
  }

  async migrate(call: Call<Durability>): Promise<Durability> {
    const durability = await this.#ask<Durability>(this.#writer, ['migrate'], call);
    // Opens the file before the first caller waits for it.
    await this.#ask(this.#reader, ['run', SCHEMA_VERSION, []], call);
    return durability;
  }

  run(sql: string, parameters: readonly SqlValue[], call: Call<SqlRow[]>): Promise<SqlRow[]> {
    const job: ThreadJob = ['run', sql, parameters];
    return isRead(sql) ? this.#ask(this.#reader, job, call) : this.#write(job, call);
  }

  find(sql: string, id: string): Promise<SqlRow | undefined> {
    return this.#finder.find(sql, id);
  }

  async advance(batch: Batch<AdvanceRow>): Promise<AdvancedRows> {
    let callStates = CallStates.create(0);
    const rows = batch.take((call) => !callStates.giveUp(call));
    callStates = CallStates.create(rows.length);
    const waitsFor = (obstacle: unknown) => batch.waitsFor(obstacle);
    const advanced = await this.#writer.run<SqlRow[]>(
      ['advance', encodeAdvanceRows(rows)],
      callStates,
      waitsFor,
    );
    return { rows, advanced };
  }

  probe(call: Call<void>): Promise<void> {
    return this.#write(['probe'], call);
  }

  async close(): Promise<void> {
    const closings = [this.#reader.close(), this.#writer.close()];
    await Promise.allSettled(closings);
    await Promise.all(closings);
  }

  #write<T>(job: ThreadJob, call: Call<T>): Promise<T> {
    const callStates = CallStates.create(1);
    call.sent(() => !callStates.giveUp(0));
    return this.#writer.run(job, callStates, (obstacle) => {
      call.obstacle = obstacle;
    });
  }

  #ask<T>(thread: SqliteThread, job: ThreadJob, call: Call<unknown>): Promise<T> {
    const callStates = CallStates.create(1);
    call.onGivenUp = () => callStates.giveUp(0);
    return thread.run(job, callStates, (obstacle) => {
      call.obstacle = obstacle;
    });
  }

  async #findAll(sql: string, ids: readonly string[]): Promise<(SqlRow | undefined)[]> {
    const callStates = CallStates.create(1);
    const timer = setTimeout(() => callStates.giveUp(0), this.#timeout).unref();
    try {
      return await this.#reader.run(['findAll', sql, ids], callStates);
    } finally {
      clearTimeout(timer);
    }
  }
}
