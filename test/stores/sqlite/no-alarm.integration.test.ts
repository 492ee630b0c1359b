import { execFile } from 'node:child_process';
import { statSync, symlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { SqliteStore } from '../../../src/stores/index.js';
import { describeWith } from '../../support/programs.js';
import { migratedStoreFor, openFor, temporaryFile, ways } from '../../support/stores/sqlite-drivers.js';
import { expectNoneAccepted, Load } from '../../support/stores/sqlite-load.js';

const KEY = { publicId: 'c', aesKey: Buffer.alloc(16) };
const counters = (usageCounter: number) => ({ usageCounter, sessionUse: 0, timestamp: 0 });

async function expectNoAlarm(store: SqliteStore, actions: () => Promise<void>) {
  const load = new Load(store);
  await sleep(100);
  await actions();
  await sleep(100);
  await load.stop();
  expect(load.faults).toEqual([]);
  expect(await Promise.race([store.fault, sleep(1, 'none')])).toBe('none');
  await store.probe();
  await expectNoneAccepted(store, load.accepted);
}

describe.each(ways)('SqliteStore with $name raises no alarm', (way) => {
  it('for checkpoints and VACUUM on other handles', async () => {
    const path = temporaryFile();
    const store = await migratedStoreFor(way, path);
    await store.keys.add({ ...KEY, notes: 'n'.repeat(1_000_000) });
    const rival = openFor(way.driver, path);
    rival.exec('PRAGMA busy_timeout = 5000');
    await expectNoAlarm(store, async () => {
      rival.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all();
      await sleep(50);
      await store.keys.delete('c');
      const before = statSync(path).size;
      rival.exec('VACUUM');
      rival.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all();
      expect(statSync(path).size).toBeLessThan(before);
      await sleep(50);
      for (const mode of ['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE']) {
        rival.prepare(`PRAGMA wal_checkpoint(${mode})`).all();
        await sleep(30);
      }
    });
  });

  it('for other stores that open and close the file', async () => {
    const path = temporaryFile();
    const store = await migratedStoreFor(way, path);
    await expectNoAlarm(store, async () => {
      for (let n = 0; n < 3; n++) {
        const other = way.open(path);
        await other.store.migrate();
        await other.store.counters.advance('another', counters(n));
        await store.migrate();
        await other.close();
      }
    });
  });

  it('for a path that is a link', async () => {
    const path = temporaryFile();
    symlinkSync(path, `${path}.link`);
    await expectNoAlarm(await migratedStoreFor(way, `${path}.link`), async () => undefined);
  });

  it('for a file of an older version, without a sequence number', async () => {
    const path = temporaryFile();
    const { store: before, close } = way.open(path);
    await before.migrate();
    await before.counters.advance('c', counters(5));
    await close();
    openFor(way.driver, path).exec('DROP TABLE yubikey_sequence');
    const store = await migratedStoreFor(way, path);
    await expectNoAlarm(store, async () => undefined);
    expect(await store.counters.advance('c', counters(5))).toMatchObject({ advanced: false });
  });
});

describeWith('SqliteStore', ['sqlite3'], () => {
  /** Another process, which opens the file and closes it. */
  const shell = (path: string, sql: string) =>
    promisify(execFile)('sqlite3', ['-cmd', '.timeout 5000', path, sql]);

  it.each(ways)(
    'with $name raises no alarm for other processes that open, write, VACUUM and close the file',
    async (way) => {
      const path = temporaryFile();
      const store = await migratedStoreFor(way, path);
      await expectNoAlarm(store, async () => {
        await shell(path, "INSERT INTO yubikey_clients VALUES ('1', x'00', '', 1, 0, ''); VACUUM");
        await shell(path, 'PRAGMA wal_checkpoint(TRUNCATE)');
        await shell(path, 'PRAGMA integrity_check');
        await shell(path, 'DELETE FROM yubikey_clients');
      });
    },
  );
});
