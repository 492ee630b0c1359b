import {
  copyFileSync,
  linkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type KeyRecord, type SqliteDatabase, SqliteStore } from '../../../src/stores/index.js';
import {
  drivers,
  migratedStoreFor,
  openFor,
  type SqliteDriver,
  temporaryFile,
  ways,
} from '../../support/stores/sqlite-drivers.js';
import { expectNoneAccepted, Load } from '../../support/stores/sqlite-load.js';

const KEY = { publicId: 'c', aesKey: Buffer.alloc(16) };
const counters = (usageCounter: number) => ({ usageCounter, sessionUse: 0, timestamp: 0 });
const LOST = { name: 'YubikeyError', code: 'STORE_FAILED', status: 503 };

/** Calls every method of a store. */
const callEverything = ({ keys, clients, counters: store }: SqliteStore): Promise<unknown>[] => [
  store.advance('c', counters(1)),
  store.get('c'),
  store.list(),
  keys.get('c'),
  keys.list(),
  keys.add(KEY),
  keys.replace({ ...KEY, revision: '' } as unknown as KeyRecord, {}),
  keys.delete('c'),
  clients.get('1'),
  clients.add({ id: '1', apiKey: KEY.aesKey }),
];

async function expectLost(store: SqliteStore, path: string) {
  const { kind, error } = await Promise.race([
    store.fault,
    sleep(10_000, { kind: 'none', error: undefined }),
  ]);
  expect(kind).toBe('FILE_LOST');
  expect(error).toMatchObject(LOST);
  expect(error?.message).toContain(path);
  expect(error?.message).toMatch(/Stop the service, put the right file in its place/);
  const outcomes = await Promise.allSettled([...callEverything(store), store.probe(), store.migrate()]);
  for (const outcome of outcomes) expect(outcome).toEqual({ status: 'rejected', reason: error });
}

/** Another database with its own tables, at another path. */
async function otherFile({ open }: SqliteDriver): Promise<string> {
  const path = temporaryFile();
  const database = open(path);
  const store = new SqliteStore({ database });
  await store.migrate();
  await store.counters.advance('another', counters(1));
  database.close();
  return path;
}

/**
 * Reads the usage counter of a key as a new process would find it if this one were killed and its log were gone. Returns
 * undefined if only the log holds it.
 */
function readWithoutLog(driver: SqliteDriver, path: string, id: string): unknown {
  const copy = temporaryFile();
  copyFileSync(path, copy);
  const database = driver.open(copy);
  try {
    const rows = database.prepare('SELECT usage_counter FROM yubikey_counters WHERE id = ?').all(id);
    return (rows[0] as { usage_counter: number } | undefined)?.usage_counter;
  } catch {
    // The file has no tables yet, or lacks some of its pages.
    return undefined;
  } finally {
    database.close();
  }
}

type Replacement = (path: string, other: string) => void;
const REPLACEMENTS: [string, Replacement][] = [
  ['the file is renamed over', (path, other) => renameSync(other, path)],
  ['the file is removed', (path) => unlinkSync(path)],
  ['the log is removed', (path) => unlinkSync(`${path}-wal`)],
  ["the log's index is removed", (path) => unlinkSync(`${path}-shm`)],
  ['all three are removed', (path) => ['', '-wal', '-shm'].map((part) => unlinkSync(path + part))],
  ['the file is moved away', (path) => renameSync(path, `${path}.old`)],
  ['another file takes the place of the log', (path, other) => renameSync(other, `${path}-wal`)],
  [
    'the folder is moved away',
    (path) => {
      const folder = join(dirname(path), '../..', `moved-${process.pid}-${Date.now()}`);
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      renameSync(dirname(path), folder);
    },
  ],
  ['the file gets a second name', (path) => linkSync(path, `${path}.link`)],
  ['the file is emptied', (path) => truncateSync(path, 0)],
];

describe.each(ways)('SqliteStore with $name, under load', (way) => {
  it.each(REPLACEMENTS)('accepts no more OTPs once %s', async (_, replace) => {
    const path = temporaryFile();
    const other = await otherFile(way.driver);
    const store = await migratedStoreFor(way, path);
    const load = new Load(store);
    await load.reaches(200);
    load.mark();
    replace(path, other);
    await sleep(100);
    await load.stop();
    expect(load.acceptedLate).toEqual([]);
    for (const fault of load.faults) expect(fault).toMatchObject({ code: /STORE_FAILED|ANSWER_LOST/ });
    await expectLost(store, path);
    await expectNoneAccepted(store, load.accepted);
  });

  it.each([
    ['the log', '-wal'],
    ["the log's index", '-shm'],
  ])('accepts no OTP twice after a restart, once %s was removed', async (_, part) => {
    const path = temporaryFile();
    const { store, close } = way.open(path);
    await store.migrate();
    const load = new Load(store);
    await load.reaches(200);
    unlinkSync(path + part);
    await sleep(100);
    await load.stop();
    await store.fault;
    await close();
    await expectNoneAccepted(await migratedStoreFor(way, path), load.accepted);
  });

  it('accepts no OTP twice after an older copy was put over the file', async () => {
    const path = temporaryFile();
    const store = await migratedStoreFor(way, path);
    const rival = openFor(way.driver, path);
    const load = new Load(store);
    await load.reaches(100);
    rival.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all();
    copyFileSync(path, `${path}.copy`);
    await load.reaches(300);
    rival.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all();
    copyFileSync(`${path}.copy`, path);
    await sleep(100);
    await load.stop();
    await expectNoneAccepted(store, load.accepted);
  });
});

describe.each(ways)('SqliteStore with $name, after a checkpoint of its whole log', (way) => {
  const manyTouches = (store: SqliteStore, usageCounter: number) =>
    Promise.all(
      Array.from({ length: 500 }, (_, n) => store.counters.advance(`id ${n}`, counters(usageCounter))),
    );

  /** The checkpoint starts no new log, so SQLite trusts its cached pages. */
  it.each([0, 500])(
    'gives no verdict after an older copy with %i keys was put over the file',
    async (known) => {
      const path = temporaryFile();
      const { store: first, close } = way.open(path);
      await first.migrate();
      if (known > 0) await manyTouches(first, 1);
      await close();
      copyFileSync(path, `${path}.copy`);
      const store = await migratedStoreFor(way, path);
      await manyTouches(store, 2);
      openFor(way.driver, path).prepare('PRAGMA wal_checkpoint(PASSIVE)').all();
      copyFileSync(`${path}.copy`, path);
      await expect(store.counters.advance('id 400', counters(3))).rejects.toMatchObject(LOST);
      await expectLost(store, path);
    },
  );

  it('accepts no OTP again that an earlier process accepted, even if the log holds only other keys', async () => {
    const path = temporaryFile();
    for (const usageCounter of [1, 2]) {
      const { store, close } = way.open(path);
      await store.migrate();
      await manyTouches(store, usageCounter);
      await close();
      if (usageCounter === 1) copyFileSync(path, `${path}.copy`);
    }
    const store = await migratedStoreFor(way, path);
    await store.counters.advance('id 1', counters(3));
    copyFileSync(`${path}.copy`, path);
    for (const n of [400, 100, 250]) {
      const again = await store.counters.advance(`id ${n}`, counters(2)).catch(() => undefined);
      expect(again?.advanced, `id ${n}`).not.toBe(true);
    }
  });
});

describe.each(ways)('SqliteStore with $name', (way) => {
  /** A store that has accepted an OTP, and another handle of its file. */
  async function storeWithRival() {
    const path = temporaryFile();
    const store = await migratedStoreFor(way, path);
    await store.counters.advance('c', counters(5));
    return { path, store, rival: openFor(way.driver, path) };
  }

  it('gives no verdict from a file that went back to an older state, and writes nothing to it', async () => {
    const { path, store, rival } = await storeWithRival();
    rival.exec('UPDATE yubikey_sequence SET number = 0');
    await expect(store.counters.advance('b', counters(1))).rejects.toMatchObject(LOST);
    await expectLost(store, path);
    expect(rival.prepare("SELECT id FROM yubikey_counters WHERE id = 'b'").all()).toEqual([]);
  });

  it.each([
    ['holds no sequence number', 'DELETE FROM yubikey_sequence'],
    ['has no table for the sequence number, like files of older versions', 'DROP TABLE yubikey_sequence'],
  ])('gives no verdict from a file that %s', async (_, sql) => {
    const { path, store, rival } = await storeWithRival();
    rival.exec(sql);
    await expect(store.counters.advance('b', counters(1))).rejects.toMatchObject(LOST);
    await expectLost(store, path);
  });

  it.each([
    ['lower counters than it accepted', 'UPDATE yubikey_counters SET usage_counter = 4'],
    ['no counters', 'DELETE FROM yubikey_counters'],
  ])('gives no verdict from a file with %s for a key', async (_, sql) => {
    const { path, store, rival } = await storeWithRival();
    rival.exec(sql);
    await expect(store.counters.advance('c', counters(5))).rejects.toMatchObject({ code: 'ANSWER_LOST' });
    await expectLost(store, path);
  });

  it.each([
    ['the log was removed', ['-wal']],
    ["the log's index was removed, and then the log", ['-shm', '-wal']],
  ])('has accepted OTPs in the file when it reports that %s', async (_, [first, ...later]) => {
    const { path, store } = await storeWithRival();
    unlinkSync(path + first);
    await expect(store.counters.advance('b', counters(1))).rejects.toMatchObject({ code: 'ANSWER_LOST' });
    await expectLost(store, path);
    for (const part of later) unlinkSync(path + part);
    expect(readWithoutLog(way.driver, path, 'c')).toBe(5);
  });

  it('copies a removed log into the file as soon as no older reader prevents it', async () => {
    const { path, store, rival } = await storeWithRival();
    rival.exec('BEGIN');
    rival.prepare('SELECT id FROM yubikey_counters').all();
    await store.counters.advance('c', counters(6));
    unlinkSync(`${path}-wal`);
    await expect(store.counters.advance('b', counters(1))).rejects.toMatchObject({ code: 'ANSWER_LOST' });
    await expectLost(store, path);
    expect(readWithoutLog(way.driver, path, 'c')).not.toBe(6);
    rival.exec('COMMIT');
    await expect.poll(() => readWithoutLog(way.driver, path, 'c')).toBe(6);
  });

  it('copies no log while other processes use it with an index of their own', async () => {
    const { path, store } = await storeWithRival();
    unlinkSync(`${path}-shm`);
    copyFileSync(path, `${path}-shm`);
    await expect(store.counters.advance('b', counters(1))).rejects.toMatchObject({ code: 'ANSWER_LOST' });
    await expectLost(store, path);
    expect(readWithoutLog(way.driver, path, 'c')).toBeUndefined();
  });

  it('detects with a health check that the file was removed', async () => {
    const { path, store } = await storeWithRival();
    await store.probe();
    unlinkSync(path);
    await expect(store.probe()).rejects.toMatchObject({ code: 'ANSWER_LOST' });
    await expectLost(store, path);
  });

  it('detects that its log was emptied, and neither accepts nor refuses', async () => {
    const { path, store } = await storeWithRival();
    truncateSync(`${path}-wal`, 0);
    await expect(store.counters.advance('c', counters(5))).rejects.toMatchObject(LOST);
    await expectLost(store, path);
  });

  it('detects damage to the file when it reads it', async () => {
    const { path, store, rival } = await storeWithRival();
    await store.keys.add(KEY);
    rival.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all();
    // Makes other handles drop their cached pages.
    rival.exec('UPDATE yubikey_sequence SET number = number + 1');
    const size = statSync(path).size;
    truncateSync(path, 4096);
    truncateSync(path, size);
    await store.keys.get('c').catch(() => undefined);
    await expectLost(store, path);
  });
});

describe.each(drivers)('SqliteStore with an open database of $name', (driver) => {
  it('copies a removed log into the file as soon as the disk has room', async () => {
    const path = temporaryFile();
    const database = openFor(driver, path);
    let isFull = true;
    const store = new SqliteStore({
      database: {
        inTransaction: false,
        exec: (sql: string) => database.exec(sql),
        prepare: (sql: string) => {
          if (isFull && sql.includes('wal_checkpoint'))
            throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
          return database.prepare(sql);
        },
      } as SqliteDatabase,
    });
    await store.migrate();
    await store.counters.advance('c', counters(5));
    unlinkSync(`${path}-shm`);
    await expect(store.probe()).rejects.toMatchObject({ code: 'ANSWER_LOST' });
    expect(readWithoutLog(driver, path, 'c')).toBeUndefined();
    isFull = false;
    await expect.poll(() => readWithoutLog(driver, path, 'c')).toBe(5);
  });
});

describe.each(drivers)('SqliteStore with a path, through $name', (driver) => {
  const { name } = driver;
  it('finds its file by a relative path after the process changed its folder', async () => {
    const path = temporaryFile();
    const store = new SqliteStore({ path: relative(process.cwd(), path), driver: name });
    onTestFinished(() => store.close());
    const folder = process.cwd();
    onTestFinished(() => process.chdir(folder));
    process.chdir('/');
    await store.migrate();
    await store.probe();
    renameSync(path, `${path}.old`);
    await expect(store.probe()).rejects.toMatchObject({ code: 'ANSWER_LOST' });
  });

  it('detects that its path, a link, now leads to another file', async () => {
    const path = temporaryFile();
    const link = `${path}.link`;
    symlinkSync(path, link);
    const store = new SqliteStore({ path: link, driver: name });
    onTestFinished(() => store.close());
    await store.migrate();
    unlinkSync(link);
    symlinkSync(await otherFile(driver), link);
    await expect(store.counters.advance('c', counters(1))).rejects.toMatchObject({ code: 'ANSWER_LOST' });
    await expectLost(store, link);
  });
});
