import { mkdtempSync, rmSync } from 'node:fs';
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

const libsql: SqliteDriver = { name: 'libsql', open: (path) => new LibsqlDatabase(path) };

export const drivers: SqliteDriver[] = nodeSqlite
  ? [libsql, { name: 'node:sqlite', open: (path) => new nodeSqlite.DatabaseSync(path) }]
  : [libsql];

export const missingDrivers = nodeSqlite ? [] : ['node:sqlite needs Node 22.13'];

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
