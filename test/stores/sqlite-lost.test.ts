import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { KeyRecord, SqliteStore } from '../../src/stores/index.js';
import { describeWith } from '../programs.js';
import {
  migratedStoreFor,
  openFor,
  type SqliteWay,
  storeFor,
  temporaryFile,
  ways,
} from './sqlite-drivers.js';
import { expectNoneAccepted, Load } from './sqlite-load.js';

const KEY = { publicId: 'c', aesKey: Buffer.alloc(16) };
const counters = (usageCounter: number) => ({ usageCounter, sessionUse: 0, timestamp: 0 });
const LOST = { name: 'YubikeyError', code: 'STORE_FAILED', status: 503 };

/** Every way to ask a store. */
const callsOf = ({ keys, clients, counters: store }: SqliteStore): Promise<unknown>[] => [
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
  const outcomes = await Promise.allSettled([...callsOf(store), store.probe(), store.migrate()]);
  for (const outcome of outcomes) expect(outcome).toEqual({ status: 'rejected', reason: error });
}

async function expectUnharmed(store: SqliteStore) {
  expect(await Promise.race([store.fault, sleep(20, 'none')])).toBe('none');
  await store.probe();
}

/** Another database, with tables of its own, at another path. */
async function otherFile(way: SqliteWay): Promise<string> {
  const path = temporaryFile();
  const { store, close } = way.open(path);
  await store.migrate();
  await store.counters.advance('another', counters(1));
  await close();
  return path;
}

type Deed = (path: string, other: string) => void;
const REPLACEMENTS: [string, Deed][] = [
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
      const folder = join(dirname(path), '..', `moved-${process.pid}-${Date.now()}`);
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      renameSync(dirname(path), folder);
    },
  ],
  ['the file gets a second name', (path) => linkSync(path, `${path}.link`)],
  ['the file is emptied', (path) => truncateSync(path, 0)],
  ['the log is emptied', (path) => truncateSync(`${path}-wal`, 0)],
];

describe.each(ways)('SqliteStore with $name, under load', (way) => {
  it.each(REPLACEMENTS)('accepts no OTP more once %s', async (_, deed) => {
    const path = temporaryFile();
    const other = await otherFile(way);
    const store = await migratedStoreFor(way, path);
    const load = new Load(store);
    await sleep(300);
    load.mark();
    deed(path, other);
    await sleep(300);
    await load.stop();
    expect(load.accepted.length).toBeGreaterThan(50);
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
    await sleep(300);
    unlinkSync(path + part);
    await sleep(100);
    await load.stop();
    await store.fault;
    await close();
    expect(load.accepted.length).toBeGreaterThan(50);
    await expectNoneAccepted(await migratedStoreFor(way, path), load.accepted);
  });

  it('accepts no OTP twice once an older copy is put over the file', async () => {
    const path = temporaryFile();
    const store = await migratedStoreFor(way, path);
    const rival = openFor(way.driver, path);
    const load = new Load(store);
    await sleep(150);
    rival.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all();
    copyFileSync(path, `${path}.copy`);
    await sleep(300);
    rival.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all();
    copyFileSync(`${path}.copy`, path);
    await sleep(300);
    await load.stop();
    expect(load.accepted.length).toBeGreaterThan(50);
    await expectNoneAccepted(store, load.accepted);
  });
});
