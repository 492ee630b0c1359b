import { existsSync } from 'node:fs';
import {
  type ClientStore,
  type CounterStore,
  type Durability,
  type KeyStore,
  MemoryStore,
  PostgresStore,
  RedisStore,
  SqliteStore,
} from 'passport-yubikey-otp/stores';
import { SetupError } from './failure.js';
import { warn } from './output.js';

/** The stores of one database, as they are: secrets in them are sealed. */
export interface Database {
  readonly keys: KeyStore;
  readonly clients: ClientStore;
  readonly counters: CounterStore;
  /** What it promises of a write. */
  readonly durability: Durability;
  /** Many writes that can be done again: they are durable once all of this has resolved, and not before. */
  bulk(work: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export interface OpenDatabaseOptions {
  /** What to do where the SQLite file is not there yet. */
  ifMissing: 'create' | 'refuse' | 'pretend';
  allowReplayAfterCrash: boolean;
  /** For a service: connections that break are made anew, and a statement without an answer fails. Default false. */
  longLived?: boolean | undefined;
}

interface Engine {
  readonly store: SqliteStore | PostgresStore | RedisStore;
  readonly bulk: Database['bulk'];
  close(): Promise<void>;
}

/**
 * Opens the database that `--db` names and brings its tables up to date.
 *
 * @throws SetupError, which never repeats a password.
 */
export async function openDatabase(where: string, options: OpenDatabaseOptions): Promise<Database> {
  refuseOtherUrls(where);
  const isMissing = !isUrl(where) && !existsSync(where);
  if (isMissing && options.ifMissing === 'refuse') {
    throw new SetupError(
      `There is no database at ${where}: name another one with --db, or make it with: yubikey-otp keys new`,
    );
  }
  if (isMissing && options.ifMissing === 'pretend') return emptyDatabase();
  let engine: Engine | undefined;
  try {
    engine = await connect(where, options);
    const durability = await engine.store.migrate();
    const { keys, clients, counters } = engine.store;
    return { keys, clients, counters, durability, bulk: engine.bulk, close: engine.close };
  } catch (error) {
    await engine?.close().catch(() => undefined);
    if (error instanceof SetupError) throw error;
    throw new SetupError(`The database ${nameOf(where)} cannot be used: ${reasonOf(error, where)}`);
  }
}

/** Says so where an accepted OTP can be forgotten. */
export function warnUnlessDurable({ durability }: Database): void {
  if (!durability.durable) warn(durability.statement);
}

/** What went wrong in a database, in words that repeat no password. */
export function reasonOf(error: unknown, where: string): string {
  const { message, code, errors } = error as { message?: string; code?: string; errors?: unknown[] };
  const text = message || errors?.map((each) => (each as Error).message).join('; ') || code || String(error);
  return passwordsOf(where).reduce((rest, password) => rest.replaceAll(password, '***'), text);
}

export const isUrl = (where: string) => /^(postgres|postgresql|redis|rediss):/i.test(where);

function refuseOtherUrls(where: string): void {
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(where)?.[1];
  if (scheme === undefined || isUrl(where)) return;
  throw new SetupError(
    `--db takes a SQLite file, or a URL that starts with postgres: or redis:, not ${scheme}:`,
  );
}

const SERVICE_TIMEOUT_MS = 5_000;

async function connect(where: string, options: OpenDatabaseOptions): Promise<Engine> {
  if (/^rediss?:/i.test(where)) return connectRedis(where, options);
  if (isUrl(where)) return connectPostgres(where, options);
  return openSqlite(where);
}

/** A write that changes nothing: its sync of the log takes all writes before it along. */
const SYNC_ALL = `
  PRAGMA busy_timeout = 5000;
  PRAGMA synchronous = FULL;
  UPDATE yubikey_schema SET version = version;
`;

/** Where many writes share a sync anyway. */
const asUsual: Database['bulk'] = (work) => work();

async function openSqlite(path: string): Promise<Engine> {
  const { default: LibsqlDatabase } = await import('libsql');
  const database = new LibsqlDatabase(path);
  return {
    store: new SqliteStore({ database }),
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

async function connectPostgres(
  url: string,
  { allowReplayAfterCrash, longLived }: OpenDatabaseOptions,
): Promise<Engine> {
  const { default: pg } = await import('pg');
  const pool = new pg.Pool({
    connectionString: url,
    connectionTimeoutMillis: 10_000,
    ...(longLived && { query_timeout: SERVICE_TIMEOUT_MS, keepAlive: true }),
  });
  // A broken idle connection is replaced by the pool; one in use rejects its query.
  pool.on('error', () => undefined);
  return {
    store: new PostgresStore({ pool, allowReplayAfterCrash }),
    bulk: asUsual,
    close: () => pool.end(),
  };
}

async function connectRedis(
  url: string,
  { allowReplayAfterCrash, longLived }: OpenDatabaseOptions,
): Promise<Engine> {
  const { createClient } = await import('redis');
  let isConnected = false;
  const client = createClient({
    url,
    socket: {
      connectTimeout: 10_000,
      reconnectStrategy: (tries) => longLived === true && isConnected && Math.min(tries * 50, 1000),
    },
    // A verification that fails at once can be tried again; one that waits is given up by who asked for it.
    ...(longLived && { disableOfflineQueue: true, commandOptions: { timeout: SERVICE_TIMEOUT_MS } }),
  });
  // What a command was waiting for, it rejects with.
  client.on('error', () => undefined);
  await client.connect();
  isConnected = true;
  const sendCommand = (_key: string | undefined, command: string[]) => client.sendCommand(command);
  return {
    store: new RedisStore({ sendCommand, allowReplayAfterCrash }),
    bulk: asUsual,
    close: async () => client.destroy(),
  };
}

function emptyDatabase(): Database {
  const { keys, clients, counters } = new MemoryStore();
  const durability = { durable: true, statement: '' };
  return { keys, clients, counters, durability, bulk: asUsual, close: async () => undefined };
}

/** Where the database is, without user, password and options. */
function nameOf(where: string): string {
  if (!isUrl(where)) return where;
  const url = URL.canParse(where) ? new URL(where) : undefined;
  return url
    ? `${url.protocol}//${url.host}${url.pathname}`
    : `${where.slice(0, where.indexOf(':'))}: URL, which is malformed,`;
}

/** The passwords in a database URL, as they are written and as they are meant. */
function passwordsOf(where: string): string[] {
  if (!isUrl(where)) return [];
  const inUserInfo = /:\/\/[^/?#]*?:([^/?#]*)@/.exec(where)?.[1];
  const inQuery = /[?&]password=([^&#]*)/i.exec(where)?.[1];
  return [inUserInfo, inQuery]
    .filter((password): password is string => password !== undefined && password !== '')
    .flatMap((password) => [password, decoded(password)]);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
