import { type Kysely, type Migration, Migrator, sql } from 'kysely';
import type { Tables } from './tables.js';

/** Add new migrations at the end, and never change one that has already run somewhere. */
const MIGRATIONS: Record<string, Migration> = {
  '001-accounts': {
    async up(db: Kysely<unknown>) {
      for (const statement of ACCOUNTS) await sql.raw(statement).execute(db);
    },
  },
};

/** Primary keys enforce that a YubiKey has one owner, and that a recovery code exists once. */
const ACCOUNTS = [
  `CREATE TABLE accounts (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL,
     name_key TEXT NOT NULL UNIQUE,
     password_hash TEXT NOT NULL,
     generation INTEGER NOT NULL DEFAULT 0,
     key_alone INTEGER NOT NULL DEFAULT 0
   )`,
  `CREATE TABLE account_keys (
     public_id TEXT PRIMARY KEY,
     account_id TEXT NOT NULL REFERENCES accounts (id),
     name TEXT NOT NULL,
     added_at TEXT NOT NULL
   )`,
  'CREATE INDEX account_keys_of ON account_keys (account_id)',
  `CREATE TABLE recovery_codes (
     account_id TEXT NOT NULL REFERENCES accounts (id),
     hash TEXT NOT NULL,
     PRIMARY KEY (account_id, hash)
   )`,
  `CREATE TABLE activity (
     id TEXT PRIMARY KEY,
     account_id TEXT NOT NULL REFERENCES accounts (id),
     at TEXT NOT NULL,
     event TEXT NOT NULL,
     public_id TEXT,
     key_name TEXT,
     address TEXT NOT NULL
   )`,
  'CREATE INDEX activity_of ON activity (account_id, at)',
  `CREATE TABLE demo_yubikeys (
     public_id TEXT PRIMARY KEY,
     state TEXT NOT NULL,
     last_otp TEXT,
     touched_at TEXT,
     made_at TEXT NOT NULL
   )`,
];

/** Brings the tables up to date. Safe at every start and, with PostgreSQL, from several instances at once. */
export async function migrate(db: Kysely<Tables>): Promise<void> {
  const provider = { getMigrations: async () => MIGRATIONS };
  const { error } = await new Migrator({ db, provider }).migrateToLatest();
  if (error) throw error;
}
