import { Kysely, PostgresDialect, type SqliteDatabase, SqliteDialect } from 'kysely';
import Database from 'libsql';
import {
  type ClientStore,
  type CounterStore,
  type KeyStore,
  PostgresStore,
  SqliteStore,
} from 'passport-yubikey-otp/stores';
import pg from 'pg';
import { type Config, ConfigError } from '../config.js';
import { migrate } from './migrations.js';
import type { Tables } from './tables.js';

/** Accounts in tables of the app's own, and beside them the tables of this package: keys and counters. */
export interface AppDatabase {
  db: Kysely<Tables>;
  yubikeys: { keys: KeyStore; clients: ClientStore; counters: CounterStore };
  /** Where sessions may be kept too. */
  pool?: pg.Pool | undefined;
  close(): Promise<void>;
}

/** PostgreSQL where DATABASE_URL names one, else a SQLite file. */
export function openDatabase({ databaseUrl, databaseFile }: Config): Promise<AppDatabase> {
  return databaseUrl ? openPostgres(databaseUrl) : openSqlite(databaseFile);
}

async function openPostgres(connectionString: string): Promise<AppDatabase> {
  const pool = new pg.Pool({ connectionString });
  pool.on('error', (error) => console.error('An idle connection to PostgreSQL broke:', error.message));
  const yubikeys = new PostgresStore({ pool });
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  try {
    await yubikeys.migrate();
    await migrate(db);
  } catch (error) {
    await db.destroy();
    throw new ConfigError([`DATABASE_URL names no database that works: ${(error as Error).message}`]);
  }
  return { db, yubikeys, pool, close: () => db.destroy() };
}

async function openSqlite(file: string): Promise<AppDatabase> {
  // Two handles: a transaction of the app must not hold an OTP's counters in it.
  const [own, shared] = [openFile(file), openFile(file)];
  const yubikeys = new SqliteStore({ database: shared });
  await yubikeys.migrate();
  own.exec('PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON');
  const db = new Kysely<Tables>({
    dialect: new SqliteDialect({ database: own as unknown as SqliteDatabase }),
  });
  await migrate(db);
  const close = async () => {
    await db.destroy();
    shared.close();
  };
  return { db, yubikeys, close };
}

function openFile(file: string): Database.Database {
  try {
    return new Database(file);
  } catch (error) {
    throw new ConfigError([`DATABASE_FILE cannot be opened: ${file} (${(error as Error).message})`]);
  }
}
