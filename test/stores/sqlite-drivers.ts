import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import LibsqlDatabase from 'libsql';
import { onTestFinished } from 'vitest';
import type { SqliteDatabase } from '../../src/stores/index.js';

export interface OpenDatabase extends SqliteDatabase {
  close(): void;
}

export interface SqliteDriver {
  name: string;
  open(path: string): OpenDatabase;
}

interface NodeSqlite {
  DatabaseSync: new (path: string) => OpenDatabase;
}

// Node 20 has no such module, and its types neither.
const nodeSqlite = process.getBuiltinModule?.('node:sqlite') as unknown as NodeSqlite | undefined;

/** It needs a compiler to install, so it is no dependency: a folder of it, or nothing. */
function betterSqlite(): (new (path: string) => OpenDatabase) | undefined {
  try {
    const Database = createRequire(import.meta.url)(process.env.BETTER_SQLITE3 ?? 'better-sqlite3');
    new Database(':memory:').close();
    return Database;
  } catch {
    return undefined;
  }
}

const BetterSqlite = betterSqlite();

export const drivers: SqliteDriver[] = [{ name: 'libsql', open: (path) => new LibsqlDatabase(path) }];
export const missingDrivers: string[] = [];

if (nodeSqlite) drivers.push({ name: 'node:sqlite', open: (path) => new nodeSqlite.DatabaseSync(path) });
else missingDrivers.push('node:sqlite needs Node 22.13');

if (BetterSqlite) drivers.push({ name: 'better-sqlite3', open: (path) => new BetterSqlite(path) });
else missingDrivers.push('better-sqlite3 is not installed for this Node');

/** The path of a database that is not there yet; it is removed when the test has finished. */
export function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'yubikey-otp-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'yubikey.db');
}

/** An open handle, closed when the test has finished. */
export function openFor(driver: SqliteDriver, path: string): OpenDatabase {
  const database = driver.open(path);
  onTestFinished(() => database.close());
  return database;
}

export function firstValue(database: SqliteDatabase, sql: string): unknown {
  return Object.values(database.prepare(sql).all()[0] as object)[0];
}
