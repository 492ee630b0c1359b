import Database from 'libsql';
import type { Verifier } from 'passport-yubikey-otp';
import { type KeyStore, SqliteStore } from 'passport-yubikey-otp/stores';
import { type Config, ConfigError } from './config.js';
import { type Demo, openDemo } from './demo.js';
import { Users } from './users.js';
import { ownKeys, validationServers } from './verifier.js';

/** What the app works with. */
export interface Services {
  users: Users;
  verifier: Verifier;
  /** The AES keys of YubiKeys. Empty where validation servers hold them. */
  keys: KeyStore;
  /** In demo mode only. */
  demo?: Demo;
  close(): Promise<void>;
}

/** Opens the database, and what checks the OTPs. */
export async function openServices({ databaseFile, cloud }: Config): Promise<Services> {
  const database = openDatabase(databaseFile);
  const store = new SqliteStore({ database });
  await store.migrate();
  const users = new Users(database);
  const { keys } = store;

  const cloudVerifier = cloud && validationServers(cloud);
  const close = async () => {
    await cloudVerifier?.close();
    database.close();
  };
  if (cloudVerifier) return { users, keys, verifier: cloudVerifier, close };
  const demo = await openDemo({ database, keys, users });
  return { users, keys, verifier: ownKeys(store), demo, close };
}

function openDatabase(file: string): Database.Database {
  try {
    return new Database(file);
  } catch (error) {
    throw new ConfigError([`DATABASE_FILE cannot be opened: ${file} (${(error as Error).message})`]);
  }
}
