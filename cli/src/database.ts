import { existsSync } from 'node:fs';
import {
  type ClientStore,
  type CounterStore,
  type Durability,
  type KeyStore,
  MemoryStore,
} from 'passport-yubikey-otp/stores';
import {
  type ConnectOptions,
  connectPostgres,
  connectRedis,
  type Engine,
  openSqlite,
  serveSqlite,
} from './engines.js';
import { SetupError } from './failure.js';
import { warn } from './output.js';

/** The stores of one database, as they are: secrets in them are sealed. */
export interface Database {
  readonly keys: KeyStore;
  readonly clients: ClientStore;
  readonly counters: CounterStore;
  /** What it promises of a write. */
  readonly durability: Durability;
  readonly bulk: Engine['bulk'];
  close(): Promise<void>;
}

export interface OpenDatabaseOptions extends ConnectOptions {
  /**
   * What to do where the SQLite file is not there yet. `pretend` takes any database that is not set up yet as an empty
   * one, and writes nothing to one that is.
   */
  ifMissing: 'create' | 'refuse' | 'pretend';
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
    if (options.ifMissing === 'pretend' && !(await engine.isSetUp?.())) {
      await engine.close();
      return emptyDatabase();
    }
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
  return withoutPasswords(text, where);
}

/** A text that may repeat a database URL, without its passwords. */
export function withoutPasswords(text: string, where: string): string {
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

async function connect(where: string, options: OpenDatabaseOptions): Promise<Engine> {
  if (/^rediss?:/i.test(where)) return connectRedis(where, options);
  if (isUrl(where)) return connectPostgres(where, options);
  return options.longLived ? serveSqlite(where) : openSqlite(where, options.ifMissing === 'pretend');
}

function emptyDatabase(): Database {
  const { keys, clients, counters } = new MemoryStore();
  const durability = { durable: true, statement: '' };
  return { keys, clients, counters, durability, bulk: (work) => work(), close: async () => undefined };
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
