import { describe, expect, it } from 'vitest';
import { YubikeyError } from '../../../src/errors.js';
import { type KeyRecord, type SqliteDatabase, SqliteStore } from '../../../src/stores/index.js';
import { drivers, firstValue, openFor, temporaryFile } from '../../support/stores/sqlite-drivers.js';

const COUNTERS = { usageCounter: 1, sessionUse: 0, timestamp: 0 };
const KEY = { publicId: 'c', aesKey: Buffer.alloc(16) };
const NOT_DURABLE = { name: 'YubikeyError', code: 'STORE_NOT_DURABLE', status: 500 };
const NOT_MIGRATED = { name: 'YubikeyError', code: 'STORE_NOT_MIGRATED', status: 500 };

function everyCall({ keys, counters }: SqliteStore): Promise<unknown>[] {
  return [
    keys.get('c'),
    keys.add(KEY),
    keys.replace({ ...KEY, revision: '' } as unknown as KeyRecord, {}),
    keys.list(),
    keys.delete('c'),
    counters.get('c'),
    counters.advance('c', COUNTERS),
  ];
}

async function expectUnusable(store: SqliteStore) {
  for (const call of everyCall(store)) await expect(call).rejects.toMatchObject(NOT_MIGRATED);
}

/** The same database, except that it ignores one statement. */
function ignoring(ignored: string, database: SqliteDatabase): SqliteDatabase & { inTransaction: boolean } {
  return {
    inTransaction: false,
    exec: (sql) => database.exec(sql.includes(ignored) ? 'SELECT 1' : sql),
    prepare: (sql) => database.prepare(sql),
  };
}

describe.each(drivers)('migrate() of SqliteStore with $name', (driver) => {
  it('is required before any other call', async () => {
    const store = new SqliteStore({ database: openFor(driver, temporaryFile()) });
    await expectUnusable(store);
    await store.migrate();
    expect(await store.keys.add(KEY)).toBe(true);
  });

  it('can be called again, and keeps all records', async () => {
    const database = openFor(driver, temporaryFile());
    const store = new SqliteStore({ database });
    await store.migrate();
    await store.keys.add(KEY);
    await store.counters.advance('c', COUNTERS);
    const before = [await store.keys.get('c'), await store.counters.get('c')];
    await store.migrate();
    await Promise.all([store.migrate(), new SqliteStore({ database }).migrate()]);
    expect([await store.keys.get('c'), await store.counters.get('c')]).toEqual(before);
    expect(firstValue(database, 'SELECT count(*) FROM yubikey_schema')).toBe(1);
  });

  it('rejects with STORE_FAILED if its commit fails: no OTP was used up by it', async () => {
    const database = openFor(driver, temporaryFile());
    const store = new SqliteStore({
      database: {
        ...ignoring('none', database),
        exec: (sql) => {
          if (sql === 'COMMIT') throw new Error('disk I/O error');
          return database.exec(sql);
        },
      },
    });
    await expect(store.migrate()).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });

  it('can run on several handles at once', async () => {
    const path = temporaryFile();
    const stores = Array.from({ length: 4 }, () => new SqliteStore({ database: openFor(driver, path) }));
    await Promise.all(stores.map((store) => store.migrate()));
    const added = await Promise.all(stores.map((store) => store.keys.add(KEY)));
    expect(added.filter(Boolean)).toHaveLength(1);
  });

  it('makes writes durable, whatever the settings of the handle were', async () => {
    const database = openFor(driver, temporaryFile());
    database.exec('PRAGMA journal_mode = DELETE');
    database.exec('PRAGMA synchronous = OFF');
    await new SqliteStore({ database }).migrate();
    expect(firstValue(database, 'PRAGMA journal_mode')).toBe('wal');
    expect(Number(firstValue(database, 'PRAGMA synchronous'))).toBe(2);
  });

  it('makes writes durable again in a file that is later opened with other settings', async () => {
    const path = temporaryFile();
    await new SqliteStore({ database: openFor(driver, path) }).migrate();
    const database = openFor(driver, path);
    database.exec('PRAGMA synchronous = NORMAL');
    await new SqliteStore({ database }).migrate();
    expect(Number(firstValue(database, 'PRAGMA synchronous'))).toBe(2);
  });

  it.each(['journal_mode = WAL', 'synchronous = FULL'])('rejects if %s has no effect', async (pragma) => {
    const database = openFor(driver, temporaryFile());
    database.exec('PRAGMA synchronous = OFF');
    const store = new SqliteStore({ database: ignoring(pragma, database) });
    await expect(store.migrate()).rejects.toMatchObject(NOT_DURABLE);
    await expectUnusable(store);
  });

  it('refuses a database in memory, with the reason', async () => {
    const store = new SqliteStore({ database: openFor(driver, ':memory:') });
    const error = await store.migrate().catch((error) => error);
    expect(error).toMatchObject(NOT_DURABLE);
    expect(error.message).toMatch(/durable.*journal_mode memory.*MemoryStore/s);
    await expectUnusable(store);
  });

  it('refuses a schema of a newer version, and does not change it', async () => {
    const path = temporaryFile();
    const database = openFor(driver, path);
    await new SqliteStore({ database }).migrate();
    database.exec('INSERT INTO yubikey_schema (version) VALUES (999)');
    const store = new SqliteStore({ database });
    const error = await store.migrate().catch((error) => error);
    expect(error).toBeInstanceOf(YubikeyError);
    expect(error).toMatchObject(NOT_MIGRATED);
    expect(error.message).toContain('999');
    await expectUnusable(store);
    expect(firstValue(database, 'SELECT max(version) FROM yubikey_schema')).toBe(999);
    openFor(driver, path).exec('BEGIN IMMEDIATE');
  });
});

describe.each(drivers)('inside a transaction of the application, SqliteStore with $name', (driver) => {
  const REFUSED = { code: 'STORE_FAILED', message: expect.stringContaining('transaction') };

  it('does not migrate', async () => {
    const database = openFor(driver, temporaryFile());
    database.exec('BEGIN');
    await expect(new SqliteStore({ database }).migrate()).rejects.toMatchObject(REFUSED);
    database.exec('ROLLBACK');
    await new SqliteStore({ database }).migrate();
  });

  it('accepts no OTP, since a rollback would undo that', async () => {
    const database = openFor(driver, temporaryFile());
    const store = new SqliteStore({ database });
    await store.migrate();
    database.exec('BEGIN');
    for (const call of everyCall(store)) await expect(call).rejects.toMatchObject(REFUSED);
    database.exec('ROLLBACK');
    expect(await store.counters.get('c')).toBeUndefined();
    expect(await store.counters.advance('c', COUNTERS)).toMatchObject({ advanced: true });
  });
});
