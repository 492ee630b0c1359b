import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PostgresStore, RedisStore, type SqliteFault, SqliteStore } from 'passport-yubikey-otp/stores';
import { SetupError } from '../terminal/failure.js';
import { ANSWER_MS, within } from '../terminal/within.js';
import { RedisConnection } from './redis-connection.js';

/** An open database, of whichever kind. */
export interface Engine {
  readonly store: SqliteStore | PostgresStore | RedisStore;
  /** Whether `migrate()` has been here, and would change nothing. Reads only. A service does not ask. */
  isSetUp?(): Promise<boolean>;
  /** Many writes that can be done again: they are durable once all of this has resolved, and not before. */
  bulk(work: () => Promise<void>): Promise<void>;
  /** Resolves when the store can be used no more. */
  readonly fault?: Promise<SqliteFault>;
  close(): Promise<void>;
}

export interface ConnectOptions {
  allowReplayAfterCrash: boolean;
  /** For a service: connections that break are made anew. Default false. */
  longLived?: boolean | undefined;
}

const CLOSE_MS = 1_000;

/**
 * A write that changes nothing in the end: its sync of the log takes all writes before it along. SQLite neither writes nor
 * syncs where a row is set to what it is.
 */
const SYNC_ALL = `
  PRAGMA busy_timeout = 5000;
  PRAGMA synchronous = FULL;
  BEGIN IMMEDIATE;
  UPDATE yubikey_schema SET version = version + 1;
  UPDATE yubikey_schema SET version = version - 1;
  COMMIT;
`;

/** Where many writes share a sync anyway. */
const asUsual: Engine['bulk'] = (work) => work();

const FIND_SCHEMA = "SELECT 1 FROM sqlite_master WHERE name = 'yubikey_schema'";

/** Opens a SQLite file, which is made if need be. `readOnly` promises that nothing will be written. */
export async function openSqlite(path: string, readOnly: boolean): Promise<Engine> {
  const { default: LibsqlDatabase } = await import('libsql');
  // A handle that may write would move what is in the log to the file; one that may not would leave a log behind.
  const hasLog = existsSync(`${path}-wal`);
  const database = new LibsqlDatabase(
    readOnly && hasLog ? `${pathToFileURL(resolve(path)).href}?mode=ro` : path,
  );
  return {
    store: new SqliteStore({ database }),
    async isSetUp() {
      if (database.prepare(FIND_SCHEMA).all().length === 0) return false;
      const [row] = database.prepare('PRAGMA journal_mode').all() as { journal_mode: string }[];
      if (row?.journal_mode === 'wal') return true;
      throw new SetupError(
        `A dry run writes nothing, and ${path} has to be set to WAL mode first, as any other command does: yubikey-otp keys list`,
      );
    },
    // A sync for each of many writes would take minutes.
    async bulk(work) {
      database.exec('PRAGMA synchronous = NORMAL');
      try {
        await work();
      } finally {
        database.exec(SYNC_ALL);
      }
    },
    close: async () => void database.close(),
  };
}

/** The same for a service, in threads of its own: no sync of the disk stops others from being answered. */
export function serveSqlite(path: string): Engine {
  const store = new SqliteStore({ path, driver: 'libsql' });
  return { store, bulk: asUsual, fault: store.fault, close: () => store.close() };
}

export async function connectPostgres(
  url: string,
  { allowReplayAfterCrash }: ConnectOptions,
): Promise<Engine> {
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({
    connectionString: url,
    connectionTimeoutMillis: ANSWER_MS,
    keepAlive: true,
    // A server that hangs does not close what is idle.
    allowExitOnIdle: true,
  });
  // A broken idle connection is replaced by the pool; one in use rejects its query.
  pool.on('error', () => undefined);
  return {
    store: new PostgresStore({ pool, allowReplayAfterCrash }),
    async isSetUp() {
      const { rows } = await pool.query("SELECT to_regclass('yubikey_schema') IS NOT NULL AS is_set_up");
      return rows[0].is_set_up;
    },
    bulk: asUsual,
    // What it has lent comes back by a deadline.
    close: async () => void (await within(CLOSE_MS, pool.end())),
  };
}

/** What `migrate()` writes in Redis, under the prefix that the library has by default. */
const REDIS_SCHEMA = 'yubikey-otp:schema';

export async function connectRedis(
  url: string,
  { allowReplayAfterCrash, longLived }: ConnectOptions,
): Promise<Engine> {
  const { createClient } = await import('redis');
  let isConnected = false;
  const connection = await RedisConnection.open(() => {
    const client = createClient({
      url,
      socket: {
        connectTimeout: ANSWER_MS,
        reconnectStrategy: (tries) => longLived === true && isConnected && Math.min(tries * 50, 1000),
      },
      // A verification that fails at once can be tried again; what waits may be written when nobody waits any more.
      disableOfflineQueue: true,
    });
    // What a command was waiting for, it rejects with.
    client.on('error', () => undefined);
    return client;
  });
  isConnected = true;
  const sendCommand = (_key: string | undefined, command: string[]) => connection.send(command);
  return {
    store: new RedisStore({ sendCommand, allowReplayAfterCrash }),
    isSetUp: async () => (await connection.send(['EXISTS', REDIS_SCHEMA])) === 1,
    bulk: asUsual,
    close: async () => connection.close(),
  };
}
