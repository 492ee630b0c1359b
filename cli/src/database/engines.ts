import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PostgresStore, RedisStore, type SqliteFault, SqliteStore } from 'passport-yubikey-otp/stores';
import { SetupError } from '../terminal/failure.js';
import { ANSWER_MS, within } from '../terminal/within.js';
import { RedisConnection } from './redis-connection.js';

/** An open database of any kind. */
export interface Engine {
  readonly store: SqliteStore | PostgresStore | RedisStore;
  /** Whether the tables exist, so that `migrate()` would change nothing. Reads only; a service does not call it. */
  isSetUp?: (() => Promise<boolean>) | undefined;
  /** Runs many writes that can be repeated. They are durable once this resolves, not before. */
  bulk(work: () => Promise<void>): Promise<void>;
  /** Resolves when the store can no longer be used. */
  readonly fault?: Promise<SqliteFault> | undefined;
  close(): Promise<void>;
}

export interface ConnectOptions {
  allowReplayAfterCrash: boolean;
  /** For a service: broken connections are replaced. Default false. */
  longLived?: boolean | undefined;
}

const CLOSE_MS = 1_000;

/**
 * A write with no net effect, whose sync of the log makes all earlier writes durable. SQLite neither writes nor syncs if
 * a row is set to the value it has.
 */
const SYNC_ALL = `
  PRAGMA busy_timeout = 5000;
  PRAGMA synchronous = FULL;
  BEGIN IMMEDIATE;
  UPDATE yubikey_schema SET version = version + 1;
  UPDATE yubikey_schema SET version = version - 1;
  COMMIT;
`;

/** For databases in which many writes share a sync anyway. */
const asUsual: Engine['bulk'] = (work) => work();

const FIND_SCHEMA = "SELECT 1 FROM sqlite_master WHERE name = 'yubikey_schema'";

/** Opens a SQLite file and creates it if necessary. `readOnly`: nothing will be written. */
export async function openSqlite(path: string, readOnly: boolean): Promise<Engine> {
  const { default: LibsqlDatabase } = await import('libsql');
  // A writable handle would move the log into the file; a read-only one would leave an empty log behind.
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
        `${path} is not in WAL mode, and a dry run must not change that: first run another command, such as yubikey-otp keys list`,
      );
    },
    // One sync for each write would take minutes.
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

/** Opens a SQLite file for a service, in worker threads: a sync of the disk does not hold up other requests. */
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
    // A server that hangs does not close idle connections.
    allowExitOnIdle: true,
  });
  // The pool replaces a broken idle connection; a broken connection in use rejects its query.
  pool.on('error', () => undefined);
  return {
    store: new PostgresStore({ pool, allowReplayAfterCrash }),
    async isSetUp() {
      const { rows } = await pool.query("SELECT to_regclass('yubikey_schema') IS NOT NULL AS is_set_up");
      return rows[0].is_set_up;
    },
    bulk: asUsual,
    // Every borrowed connection comes back by a deadline.
    close: async () => void (await within(CLOSE_MS, pool.end())),
  };
}

/** The key that `migrate()` writes in Redis, under the library's default prefix. */
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
      // A verification that fails at once can be tried again; a queued command may be written after its caller has given up.
      disableOfflineQueue: true,
    });
    // Each waiting command rejects with this error.
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
