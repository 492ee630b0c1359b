import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { type KeyRecord, type SqliteDatabase, SqliteStore } from '../../../src/stores/index.js';
import { SQLITE_DRIVERS } from '../../support/fixtures/shared-store.js';
import { withSealedSecrets } from '../../support/stores/seal.js';
import {
  drivers,
  migratedStoreFor,
  missingDrivers,
  openEmptyStore,
  openFor,
  openStoreAt,
  temporaryFile,
  ways,
} from '../../support/stores/sqlite-drivers.js';
import { describeStore, describeStoreSmoke } from '../../support/stores/store-contract.js';

for (const [n, way] of ways.entries()) {
  // The first two ways are one driver, in this thread and in others. Messages to threads do not depend on the driver.
  const open = () => openEmptyStore(way);
  const reopen = ({ path }: { path: string }) => openStoreAt(way, path);
  if (n < 2 || !way.name.endsWith('in threads')) {
    describeStore(`SqliteStore with ${way.name}`, () => openStoreAt(way, temporaryFile()), reopen);
  } else {
    describeStoreSmoke(`SqliteStore with ${way.name}`, open);
  }
  describeStoreSmoke(`SqliteStore with ${way.name}, sealed`, withSealedSecrets(open));
}

const KEY = { publicId: 'd', aesKey: Buffer.alloc(16, 3) };
const REFUSED = ['keys', 'clients', 'counters'].flatMap((table) =>
  ['INSERT', 'UPDATE', 'DELETE'].map((event) => [table, event] as const),
);

describe.each(ways)('SqliteStore with $name', (way) => {
  it('keeps keys and counters when the file is closed and reopened', async () => {
    const path = temporaryFile();
    const counters = { usageCounter: 5, sessionUse: 7, timestamp: 9 };
    const { store: before, close } = way.open(path);
    await before.migrate();
    await before.keys.add({ publicId: 'c', aesKey: Buffer.alloc(16, 3) });
    await before.counters.advance('c', counters, 'a'.repeat(32));
    const [key, row] = [await before.keys.get('c'), await before.counters.get('c')];
    await close();

    const after = await migratedStoreFor(way, path);
    expect(await after.keys.get('c')).toEqual(key);
    expect(await after.counters.get('c')).toEqual(row);
    const replay = await after.counters.advance('c', counters, 'a'.repeat(32));
    expect(replay).toEqual({ advanced: false, reason: 'REPLAYED_REQUEST' });
  });

  it.each([
    ['adding a key', (store: SqliteStore) => store.keys.add(KEY)],
    [
      'replacing a key',
      async (store: SqliteStore) => {
        const key = await store.keys.get('c');
        return store.keys.replace(key as KeyRecord, { notes: 'lost' });
      },
    ],
    ['deleting a key', (store: SqliteStore) => store.keys.delete('c')],
    ['adding a client', (store: SqliteStore) => store.clients.add({ id: '1', apiKey: Buffer.alloc(16, 1) })],
    [
      'advancing counters',
      (store: SqliteStore) => store.counters.advance('c', { usageCounter: 1, sessionUse: 1, timestamp: 1 }),
    ],
  ])('reports %s that the database refused as not written', async (_, write) => {
    const path = temporaryFile();
    const store = await migratedStoreFor(way, path);
    await store.keys.add({ ...KEY, publicId: 'c' });
    const other = openFor(way.driver, path);
    for (const [table, event] of REFUSED) {
      other.exec(`CREATE TRIGGER refuse_${table}_${event} BEFORE ${event} ON yubikey_${table}
        BEGIN SELECT RAISE(ABORT, 'refused'); END`);
    }
    await expect(write(store)).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });

  it('sees the counters of another handle of the file at once', async () => {
    const path = temporaryFile();
    const stores = await Promise.all([1, 2].map(() => migratedStoreFor(way, path)));
    const touches = Array.from({ length: 40 }, (_, n) => ({
      usageCounter: n >> 1,
      sessionUse: 0,
      timestamp: 0,
    }));
    for (const [n, touch] of touches.entries()) {
      const { advanced } = (await stores[n % 2]?.counters.advance('c', touch)) ?? {};
      expect(advanced).toBe(n % 2 === 0);
    }
  });

  it('reads its own writes at once', async () => {
    const store = await migratedStoreFor(way, temporaryFile());
    for (let usageCounter = 0; usageCounter < 50; usageCounter++) {
      const counters = { usageCounter, sessionUse: 0, timestamp: 0 };
      await Promise.all(
        ['c', 'b', 'd'].map(async (publicId) => {
          expect(await store.counters.advance(publicId, counters)).toMatchObject({ advanced: true });
          expect(await store.counters.get(publicId)).toMatchObject(counters);
        }),
      );
    }
  });
});

describe.each(drivers)('SqliteStore with an open $name', (driver) => {
  it('rejects calls once the handle is closed, and does not end the process', async () => {
    const database = driver.open(temporaryFile());
    const store = new SqliteStore({ database });
    await store.migrate();
    await store.keys.get('c');
    database.close();
    await expect(store.keys.get('c')).rejects.toThrow(/closed|not open/);
    await expect(store.migrate()).rejects.toThrow(/closed|not open/);
  });

  it('leaves the handle open when the store is closed, since it belongs to the application', async () => {
    const database = openFor(driver, temporaryFile());
    const store = new SqliteStore({ database });
    await store.migrate();
    await store.close();
    expect(database.prepare('SELECT count(*) FROM yubikey_keys').all()).toHaveLength(1);
  });
});

describe('SqliteStore', () => {
  it.each([
    {},
    { database: undefined },
    { database: 'file.db' },
    { database: { prepare() {} } },
    { path: undefined },
    { path: '' },
    { path: 7 },
    { path: ':memory:' },
  ])('requires a path or an open database, not %j', (options) => {
    const open = () => new SqliteStore(options as { database: SqliteDatabase });
    expect(open).toThrow(/^SqliteStore requires path, .* or database/);
    expect(open).toThrow(TypeError);
  });

  it('takes a path or an open database, not both', () => {
    const options = { path: 'file.db', database: { prepare() {}, exec() {} } };
    expect(() => new SqliteStore(options as object)).toThrow(TypeError);
  });

  it('names its drivers, and tells how to install one', () => {
    const open = (driver: string) => () => new SqliteStore({ path: 'file.db', driver: driver as 'libsql' });
    expect(open('sqlite3')).toThrow(/knows the drivers node:sqlite, libsql, better-sqlite3/);
    expect(open('sqlite3')).toThrow(TypeError);
    const isHere = (name: string) => drivers.some((driver) => driver.name === name) || isInstalled(name);
    for (const missing of SQLITE_DRIVERS.filter((name) => !isHere(name))) {
      expect(open(missing)).toThrow(/npm install (libsql|better-sqlite3)/);
    }
  });

  for (const reason of missingDrivers) it.skip(`with a driver that is not available: ${reason}`, () => {});
});

/** Whether the driver can be found, even if it was built for another version of Node and cannot be used. */
function isInstalled(driver: string): boolean {
  try {
    return createRequire(import.meta.url).resolve(driver) !== driver;
  } catch {
    return false;
  }
}
