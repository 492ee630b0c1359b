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

/** The app's own tables, and in the same database the library's tables for keys and counters. */
export interface AppDatabase {
  db: Kysely<Tables>;
  yubikeys: { keys: KeyStore; clients: ClientStore; counters: CounterStore };
  /** PostgreSQL only; can also store the sessions. */
  pool?: pg.Pool | undefined;
  close(): Promise<void>;
}

/** PostgreSQL if DATABASE_URL is set, otherwise a SQLite file. */
export function openDatabase({ databaseUrl, databaseFile }: Config): Promise<AppDatabase> {
  return databaseUrl ? openPostgres(databaseUrl) : openSqlite(databaseFile);
}

async function openPostgres(connectionString: string): Promise<AppDatabase> {
  const pool = new pg.Pool({ connectionString });
  pool.on('error', (error) => console.error('An idle connection to PostgreSQL failed:', error.message));
  const yubikeys = new PostgresStore({ pool });
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  try {
    await yubikeys.migrate();
    await migrate(db);
  } catch (error) {
    await db.destroy();
    throw new ConfigError([`The database at DATABASE_URL cannot be used: ${(error as Error).message}`]);
  }
  return { db, yubikeys, pool, close: () => db.destroy() };
}

async function openSqlite(file: string): Promise<AppDatabase> {
  // Two handles, so that writing an OTP's counters never becomes part of one of the app's transactions.
  const [appFile, yubikeyFile] = [openFile(file), openFile(file)];
  const yubikeys = new SqliteStore({ database: yubikeyFile });
  await yubikeys.migrate();
  appFile.exec('PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON');
  const db = new Kysely<Tables>({
    dialect: new SqliteDialect({ database: appFile as unknown as SqliteDatabase }),
  });
  await migrate(db);
  const close = async () => {
    await db.destroy();
    yubikeyFile.close();
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
