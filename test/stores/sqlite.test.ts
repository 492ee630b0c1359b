import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type SqliteDatabase, SqliteStore } from '../../src/stores/index.js';
import { describeStoreAndSealed } from './seal.js';
import { drivers, missingDrivers, openFor, temporaryFile } from './sqlite-drivers.js';

for (const driver of drivers) {
  describeStoreAndSealed(`SqliteStore with ${driver.name}`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'yubikey-otp-'));
    const database = driver.open(join(folder, 'yubikey.db'));
    const store = new SqliteStore({ database });
    await store.migrate();
    const close = async () => {
      database.close();
      rmSync(folder, { recursive: true });
    };
    return { keys: store.keys, clients: store.clients, counters: store.counters, close };
  });
}

describe.each(drivers)('SqliteStore with $name', (driver) => {
  it('keeps keys and counters when the file is closed and opened again', async () => {
    const path = temporaryFile();
    const counters = { usageCounter: 5, sessionUse: 7, timestamp: 9 };
    const database = driver.open(path);
    const before = new SqliteStore({ database });
    await before.migrate();
    await before.keys.add({ publicId: 'c', aesKey: Buffer.alloc(16, 3) });
    await before.counters.advance('c', counters, 'a'.repeat(32));
    const [key, row] = [await before.keys.get('c'), await before.counters.get('c')];
    database.close();

    const after = new SqliteStore({ database: openFor(driver, path) });
    await after.migrate();
    expect(await after.keys.get('c')).toEqual(key);
    expect(await after.counters.get('c')).toEqual(row);
    const replay = await after.counters.advance('c', counters, 'a'.repeat(32));
    expect(replay).toEqual({ advanced: false, reason: 'REPLAYED_REQUEST' });
  });

  it('two handles of one file see the counters of each other at once', async () => {
    const path = temporaryFile();
    const stores = [1, 2].map(() => new SqliteStore({ database: openFor(driver, path) }));
    await Promise.all(stores.map((store) => store.migrate()));
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

  it('rejects, and does not end the process, once the handle is closed', async () => {
    const database = driver.open(temporaryFile());
    const store = new SqliteStore({ database });
    await store.migrate();
    await store.keys.get('c');
    database.close();
    await expect(store.keys.get('c')).rejects.toThrow(/closed|not open/);
    await expect(store.migrate()).rejects.toThrow(/closed|not open/);
  });
});

describe('SqliteStore', () => {
  it.each([undefined, {}, { database: undefined }, { database: 'file.db' }, { database: { prepare() {} } }])(
    'requires an open database, not %j',
    (options) => {
      const open = () => new SqliteStore((options ?? {}) as { database: SqliteDatabase });
      expect(open).toThrow(/^SqliteStore requires database/);
      expect(open).toThrow(TypeError);
    },
  );

  for (const reason of missingDrivers) it.skip(`with a driver that is not here: ${reason}`, () => {});
});
