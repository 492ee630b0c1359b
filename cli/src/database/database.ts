import { existsSync } from 'node:fs';
import { YubikeyError } from 'passport-yubikey-otp';
import {
  type ClientStore,
  type CounterStore,
  type Durability,
  type KeyStore,
  MemoryStore,
  type SqliteFault,
} from 'passport-yubikey-otp/stores';
import { closeInTime } from '../terminal/ending.js';
import { SetupError } from '../terminal/failure.js';
import { warn } from '../terminal/output.js';
import { awaitAnswer } from '../terminal/within.js';
import {
  type ConnectOptions,
  connectPostgres,
  connectRedis,
  type Engine,
  openSqlite,
  serveSqlite,
} from './engines.js';

/** The stores of one database; secrets in them are sealed. */
export interface Database {
  readonly keys: KeyStore;
  readonly clients: ClientStore;
  readonly counters: CounterStore;
  /** What the database promises about a write. */
  readonly durability: Durability;
  readonly bulk: Engine['bulk'];
  /** Resolves when the database can no longer be used; undefined for a database that reconnects. */
  readonly fault?: Promise<SqliteFault> | undefined;
  /** Writes durably; rejects if the write fails or takes too long. */
  probe(): Promise<void>;
  /** Resolves when the database is closed, or closing it hangs. */
  close(): Promise<void>;
}

export interface OpenDatabaseOptions extends ConnectOptions {
  /**
   * What to do if the SQLite file does not exist. `pretend` treats a database that is not set up as an empty one, and
   * writes nothing to any database.
   */
  ifMissing: 'create' | 'refuse' | 'pretend';
}

/**
 * Opens the database that `--db` names and brings its tables up to date.
 *
 * @throws SetupError, whose message never repeats a password.
 */
export async function openDatabase(where: string, options: OpenDatabaseOptions): Promise<Database> {
  refuseOtherUrls(where);
  const isMissing = !isUrl(where) && !existsSync(where);
  if (isMissing && options.ifMissing === 'refuse') {
    throw new SetupError(
      `There is no database at ${where}: name another one with --db, or make one with: yubikey-otp keys new`,
    );
  }
  if (isMissing && options.ifMissing === 'pretend') return emptyDatabase();
  let engine: Engine | undefined;
  const close = async () => engine && closeInTime(engine.close);
  try {
    engine = await connect(where, options);
    if (options.ifMissing === 'pretend' && !(await awaitAnswer(Promise.resolve(engine.isSetUp?.())))) {
      await close();
      return emptyDatabase();
    }
    const { store, bulk, fault } = engine;
    const durability = await store.migrate();
    const { keys, clients, counters } = store;
    return { keys, clients, counters, durability, bulk, fault, probe: () => store.probe(), close };
  } catch (error) {
    await close().catch(() => undefined);
    if (error instanceof SetupError) throw error;
    throw new SetupError(`The database ${toLabel(where)} cannot be used: ${explainFailure(error, where)}`);
  }
}

/** Warns if the database can forget an accepted OTP. */
export function warnUnlessDurable({ durability }: Database): void {
  if (!durability.durable) warn(durability.statement);
}

/** Explains why a database failed, with its causes and without passwords. */
export function explainFailure(error: unknown, where: string): string {
  const { message, code, errors } = error as { message?: string; code?: string; errors?: unknown[] };
  const text = message || errors?.map((each) => (each as Error).message).join('; ') || code || String(error);
  const shown = withoutPasswords(text, where);
  if (!isStoreFault(error) || !(error.cause instanceof Error)) return shown;
  const cause = explainFailure(error.cause, where);
  return shown.includes(cause) ? shown : `${shown}: ${cause}`;
}

/** Replaces the passwords of a database URL in a text. */
export function withoutPasswords(text: string, where: string): string {
  return findPasswords(where).reduce((rest, password) => rest.replaceAll(password, '***'), text);
}

/** Whether a store failed because of its database. */
export function isStoreFault(error: unknown): error is YubikeyError {
  return error instanceof YubikeyError && (error.code === 'STORE_FAILED' || error.code === 'ANSWER_LOST');
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
  const nothing = async () => undefined;
  return { keys, clients, counters, durability, bulk: (work) => work(), probe: nothing, close: nothing };
}

/** The database's URL without user, password and options. */
function toLabel(where: string): string {
  if (!isUrl(where)) return where;
  const url = URL.canParse(where) ? new URL(where) : undefined;
  return url
    ? `${url.protocol}//${url.host}${url.pathname}`
    : `${where.slice(0, where.indexOf(':'))}: URL, which is malformed,`;
}

/** The passwords in a database URL, both as they are written and decoded. */
function findPasswords(where: string): string[] {
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
