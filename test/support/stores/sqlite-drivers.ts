import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type SqliteDatabase, SqliteStore } from '../../../src/stores/index.js';
import { openSqlite, SQLITE_DRIVERS } from '../fixtures/shared-store.js';

export interface OpenDatabase extends SqliteDatabase {
  close(): void;
}

export interface SqliteDriver {
  name: (typeof SQLITE_DRIVERS)[number];
  open(path: string): OpenDatabase;
}

/** A way to use a driver: in this thread with `{ database }`, or in other threads with `{ path }`. */
export interface SqliteWay {
  name: string;
  driver: SqliteDriver;
  open(path: string): { store: SqliteStore; close(): Promise<void> };
}

function isHere(driver: string): boolean {
  try {
    openSqlite(':memory:', driver).close();
    return true;
  } catch {
    return false;
  }
}

const here = SQLITE_DRIVERS.filter(isHere);

export const drivers: SqliteDriver[] = here.map((name) => ({ name, open: (path) => openSqlite(path, name) }));
export const missingDrivers = SQLITE_DRIVERS.filter((name) => !here.includes(name)).map((name) =>
  name === 'node:sqlite' ? 'node:sqlite needs Node 22.16' : `${name} is not installed for this Node`,
);

export const ways: SqliteWay[] = drivers.flatMap((driver) => [
  {
    name: driver.name,
    driver,
    open: (path) => {
      const database = driver.open(path);
      return { store: new SqliteStore({ database }), close: async () => database.close() };
    },
  },
  {
    name: `${driver.name} in threads`,
    driver,
    open: (path) => {
      const store = new SqliteStore({ path, driver: driver.name });
      return { store, close: () => store.close() };
    },
  },
]);

/** Opens a store that is closed when the test has finished. */
export function storeFor(way: SqliteWay, path: string): SqliteStore {
  const { store, close } = way.open(path);
  onTestFinished(close);
  return store;
}

export async function migratedStoreFor(way: SqliteWay, path: string): Promise<SqliteStore> {
  const store = storeFor(way, path);
  await store.migrate();
  return store;
}

/** Opens a store for the contract. */
export async function openStoreAt(way: SqliteWay, path: string) {
  const { store, close } = way.open(path);
  await store.migrate();
  const { keys, clients, counters } = store;
  return { path, keys, clients, counters, close };
}

/** Opens an empty store in a folder of its own. Closing it removes the folder. */
export async function openEmptyStore(way: SqliteWay) {
  const folder = mkdtempSync(join(tmpdir(), 'yubikey-otp-'));
  const { close, ...store } = await openStoreAt(way, join(folder, 'yubikey.db'));
  const closeAndRemove = async () => {
    await close();
    rmSync(folder, { recursive: true });
  };
  return { ...store, close: closeAndRemove };
}

/** The path of a database that does not exist yet. Its folder is removed when the test has finished. */
export function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'yubikey-otp-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'yubikey.db');
}

/** Opens a handle that is closed when the test has finished. */
export function openFor(driver: SqliteDriver, path: string): OpenDatabase {
  const database = driver.open(path);
  onTestFinished(() => database.close());
  return database;
}

export function firstValue(database: SqliteDatabase, sql: string): unknown {
  return Object.values(database.prepare(sql).all()[0] as object)[0];
}
