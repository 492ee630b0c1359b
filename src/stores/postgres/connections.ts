import { YubikeyError } from '../../errors.js';
import type { SqlRow } from '../sql/sql-runner.js';

/** A `Pool` of `pg`, or an object that behaves like one. */
export interface PostgresPool {
  /** If it does not say how long to wait for a connection, the store sets that to its own `timeout`. */
  readonly options?: { connectionTimeoutMillis?: number | undefined };
  connect(callback: (error: Error | undefined, client: PostgresClient | undefined) => void): void;
}

export interface PostgresClient {
  query(sql: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  /** With `true`, the connection is closed instead of being returned to the pool. */
  release(destroy?: boolean): void;
  /** `pg` emits `error` when a connection breaks, besides rejecting the query; without a listener, it ends the process. */
  on?(event: 'error', listener: () => void): unknown;
  removeListener?(event: 'error', listener: () => void): unknown;
}

const NO_CALLBACK =
  'PostgresStore requires a pool whose connect() takes a callback, as that of pg does, and not one that only returns a promise';

/**
 * Makes the server end a statement soon after its connection was closed. Otherwise, statements that wait for a lock would
 * occupy the server's connections until none is left. Servers before version 14, and on some systems, cannot do it.
 */
const CHECK_CONNECTION = `SELECT set_config('client_connection_check_interval', '1s', false)
  WHERE current_setting('client_connection_check_interval', true) = '0'`;

/** Lends connections of a pool, and makes each of them durable before its first use. */
export class Connections {
  readonly #durable = new WeakSet<PostgresClient>();
  readonly #pool: PostgresPool;
  /** Milliseconds to wait for a connection, and then for the work. */
  readonly #timeout: number;

  constructor(pool: PostgresPool, timeout: number) {
    this.#pool = pool;
    this.#timeout = timeout;
    const { options } = pool;
    if (options && !options.connectionTimeoutMillis) options.connectionTimeoutMillis = timeout;
  }

  /** Closes the connection if the work fails or is not done in time. */
  async lend<T>(work: (client: PostgresClient) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    let failed = true;
    try {
      const result = await this.#withDeadline(this.#workDurably(client, work));
      failed = false;
      return result;
    } finally {
      releaseClient(client, failed);
    }
  }

  async #workDurably<T>(client: PostgresClient, work: (client: PostgresClient) => Promise<T>): Promise<T> {
    if (!this.#durable.has(client)) {
      await makeDurable(client);
      await client.query(CHECK_CONNECTION).catch(ignoreError);
    }
    this.#durable.add(client);
    return work(client);
  }

  /** Uses a callback: before a promise of the connection is handled, the connection may already have broken. */
  #connect(): Promise<PostgresClient> {
    let isLate = false;
    let isAnswered = false;
    const connected = new Promise<PostgresClient>((resolve, reject) => {
      const promise: unknown = this.#pool.connect((error, client) => {
        isAnswered = true;
        if (!client) return reject(error);
        client.on?.('error', ignoreError);
        if (!isLate) return resolve(client);
        // Not synchronously: the pool would hand it to the next caller that came too late, and so on, recursively.
        process.nextTick(releaseClient, client);
      });
      if (!(promise instanceof Promise)) return;
      promise.then((client) => {
        if (isAnswered) return;
        reject(new TypeError(NO_CALLBACK));
        client?.release?.();
      }, reject);
    });
    return this.#withDeadline(connected, () => {
      isLate = true;
    });
  }

  async #withDeadline<T>(work: Promise<T>, onLate?: () => void): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        onLate?.();
        reject(new Error(`PostgreSQL did not answer within ${this.#timeout} ms`));
      }, this.#timeout);
    });
    return Promise.race([work, late]).finally(() => clearTimeout(timer));
  }
}

/** For `error` events: the query rejects with the same error. */
function ignoreError(): void {}

function releaseClient(client: PostgresClient, destroy = false): void {
  client.removeListener?.('error', ignoreError);
  client.release(destroy);
}

/** `remote_apply` waits for more than `on`; with any other level, an acknowledged write may be lost. */
async function makeDurable(client: PostgresClient): Promise<void> {
  const [row] = (
    await client.query(
      `SELECT CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply'
       ELSE set_config('synchronous_commit', 'on', false) END AS level`,
    )
  ).rows as SqlRow[];
  if (row?.level === 'on' || row?.level === 'remote_apply') return;
  throw new YubikeyError(
    'STORE_NOT_DURABLE',
    `PostgreSQL keeps synchronous_commit at ${row?.level}: set it to on`,
  );
}
