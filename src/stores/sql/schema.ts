import { YubikeyError } from '../../errors.js';
import type { SqlRow } from './sql-runner.js';
import { readStatement } from './statement.js';

/** The table with the schema's version: the only one that {@link MIGRATIONS} do not create. */
export const SCHEMA_TABLE = 'CREATE TABLE IF NOT EXISTS yubikey_schema (version INTEGER NOT NULL)';
export const SCHEMA_VERSION = readStatement('SELECT max(version) AS version FROM yubikey_schema');

/**
 * The statements that each schema version adds. Types are PostgreSQL's, which SQLite accepts unchanged. Times are
 * milliseconds since 1970. A row of counters also keeps the values it replaced, so that one statement returns both.
 */
const MIGRATIONS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE yubikey_keys (
       id TEXT PRIMARY KEY,
       aes_key BYTEA NOT NULL,
       private_id BYTEA,
       notes TEXT NOT NULL,
       active INTEGER NOT NULL,
       created_at BIGINT NOT NULL,
       revision TEXT NOT NULL
     )`,
    `CREATE TABLE yubikey_clients (
       id TEXT PRIMARY KEY,
       api_key BYTEA NOT NULL,
       notes TEXT NOT NULL,
       active INTEGER NOT NULL,
       created_at BIGINT NOT NULL,
       revision TEXT NOT NULL
     )`,
    `CREATE TABLE yubikey_counters (
       id TEXT PRIMARY KEY,
       usage_counter INTEGER NOT NULL,
       session_use INTEGER NOT NULL,
       clock INTEGER NOT NULL,
       nonce TEXT,
       accepted_at BIGINT NOT NULL,
       accepted_count BIGINT NOT NULL,
       previous_usage_counter INTEGER,
       previous_session_use INTEGER,
       previous_clock INTEGER,
       previous_accepted_at BIGINT
     )`,
  ],
];

/**
 * The statements that bring a schema up to date, given the row that {@link SCHEMA_VERSION} returned.
 *
 * @throws YubikeyError `STORE_NOT_MIGRATED` for a schema that is newer than this code.
 */
export function migrationsFrom(row: SqlRow | undefined): readonly string[] {
  const version = Number(row?.version ?? 0);
  const known = MIGRATIONS.length;
  if (version > known) {
    const message = `The schema of this database has version ${version}, but this package knows versions up to ${known}: update passport-yubikey-otp`;
    throw new YubikeyError('STORE_NOT_MIGRATED', message);
  }
  if (version === known) return [];
  return [...MIGRATIONS.slice(version).flat(), `INSERT INTO yubikey_schema (version) VALUES (${known})`];
}
