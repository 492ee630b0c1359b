import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SqliteStore } from '../../../src/stores/index.js';
import {
  drivers,
  type OpenDatabase,
  openFor,
  type SqliteDriver,
  temporaryFile,
} from '../../support/stores/sqlite-drivers.js';

const COUNTERS = { usageCounter: 1, sessionUse: 0, timestamp: 0 };
const NEVER = new Date(Number.NaN);
const ids = Array.from({ length: 64 }, (_, n) => `id ${n}`);
const advanced = expect.objectContaining({ advanced: true });

afterEach(() => {
  vi.useRealTimers();
});

/** The database with an `exec` that first calls the given function, which may throw. */
function spyOnExec(database: OpenDatabase, exec: (sql: string) => void): OpenDatabase {
  return new Proxy(database, {
    get: (_, name) => {
      if (name === 'exec')
        return (sql: string) => {
          exec(sql);
          return database.exec(sql);
        };
      const value = Reflect.get(database, name);
      return typeof value === 'function' ? value.bind(database) : value;
    },
  });
}

async function openStore(driver: SqliteDriver, exec: (sql: string) => void = () => undefined) {
  const path = temporaryFile();
  const store = new SqliteStore({ database: spyOnExec(openFor(driver, path), exec) });
  await store.migrate();
  const other = new SqliteStore({ database: openFor(driver, path) });
  await other.migrate();
  return { path, store, other };
}

describe.each(drivers)('concurrent verifications with $name', (driver) => {
  it('share one commit, and are visible to other handles once they are answered', async () => {
    const commits: string[] = [];
    const { store, other } = await openStore(driver, (sql) => sql === 'COMMIT' && commits.push(sql));
    const before = commits.length;
    const calls = ids.map(async (id) => {
      expect(await store.counters.advance(id, COUNTERS)).toEqual(advanced);
      expect(await other.counters.get(id)).toMatchObject(COUNTERS);
    });
    await Promise.all(calls);
    expect(commits.length - before).toBe(1);
  });

  it('succeed, except for one that cannot be written', async () => {
    const { store, other } = await openStore(driver);
    const outcomes = await Promise.allSettled(
      ids.map((id, n) => store.counters.advance(id, COUNTERS, undefined, n === 20 ? NEVER : new Date())),
    );
    expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([outcomes[20]]);
    expect(await other.counters.get('id 20')).toBeUndefined();
    for (const id of ids.filter((id) => id !== 'id 20')) {
      expect(await other.counters.get(id)).toMatchObject({ ...COUNTERS, acceptedCount: 1 });
    }
  });

  it('are all rejected if their commit fails, and none of them is stored', async () => {
    let fails = false;
    const { store, other } = await openStore(driver, (sql) => {
      if (fails && sql === 'COMMIT') throw new Error('disk I/O error');
    });
    fails = true;
    const outcomes = await Promise.allSettled(ids.map((id) => store.counters.advance(id, COUNTERS)));
    expect(outcomes.map(({ status }) => status)).toEqual(ids.map(() => 'rejected'));
    expect((await other.counters.list()).records).toEqual([]);
    fails = false;
    const again = await Promise.all(ids.map((id) => store.counters.advance(id, COUNTERS)));
    expect(again).toEqual(ids.map(() => advanced));
  });

  it('share one commit when they wait for a lock, even with later ones', async () => {
    const commits: string[] = [];
    const { path, store } = await openStore(driver, (sql) => sql === 'COMMIT' && commits.push(sql));
    const before = commits.length;
    const rival = openFor(driver, path);
    rival.exec('BEGIN IMMEDIATE');
    const calls = ids.slice(0, 32).map((id) => store.counters.advance(id, COUNTERS));
    await sleep(30);
    calls.push(...ids.slice(32).map((id) => store.counters.advance(id, COUNTERS)));
    await sleep(30);
    rival.exec('COMMIT');
    expect(await Promise.all(calls)).toEqual(ids.map(() => advanced));
    expect(commits.length - before).toBe(1);
  });

  it('stop waiting for a lock at their deadlines, measured by a clock that cannot be set', async () => {
    const { path } = await openStore(driver);
    const store = new SqliteStore({ database: openFor(driver, path), timeout: 3000 });
    await store.migrate();
    const rival = openFor(driver, path);
    rival.exec('BEGIN IMMEDIATE');
    vi.useFakeTimers({ toFake: ['Date'] });
    const early = store.counters.advance('early', COUNTERS).catch((error) => error);
    await sleep(1500);
    vi.setSystemTime(Date.now() + 3_600_000);
    const late = store.counters.advance('late', COUNTERS);
    const error = await early;
    expect(error).toMatchObject({ code: 'STORE_FAILED' });
    expect(String(error.cause)).toMatch(/locked/);
    rival.exec('ROLLBACK');
    expect(await late).toEqual(advanced);
    expect(await store.counters.advance('early', COUNTERS)).toEqual(advanced);
  });

  it('do not block the event loop for one commit each', async () => {
    let commits = 0;
    const { store } = await openStore(driver, (sql) => {
      if (sql === 'COMMIT') commits++;
    });
    const commitsAtTurn: number[] = [];
    let watched: NodeJS.Immediate | undefined;
    const watch = () => {
      commitsAtTurn.push(commits);
      watched = setImmediate(watch);
    };
    watch();
    for (let round = 0; round < 5; round++) {
      await Promise.all(
        [...ids, ...ids].map((id) => store.counters.advance(id, { ...COUNTERS, usageCounter: 2 + round })),
      );
      await sleep(5);
    }
    clearImmediate(watched);
    const inOneTurn = commitsAtTurn.map((count, n) => count - (commitsAtTurn[n - 1] ?? count));
    expect(Math.max(...inOneTurn)).toBeLessThanOrEqual(2);
  });
});
