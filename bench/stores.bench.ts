import { spawnSync } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { type CounterStore, PostgresStore, RedisStore, SqliteStore } from 'passport-yubikey-otp/stores';
import { createClient } from 'redis';
import { openSqlite } from '../test/support/fixtures/shared-store.js';
import { missingPostgres, PostgresServer } from '../test/support/servers/postgres.js';
import { RedisServer } from '../test/support/servers/redis.js';
import { type Contestant, compare, type Figures, median } from './compare.js';
import { keepReport } from './report.js';

/**
 * Measures how many calls of `advance` the stores handle per second, with different numbers of callers that each have
 * their own key, and the longest time that the event loop was blocked. The limit is a bare loop of writes and syncs.
 */
const CALLERS = [1, 16, 64, 256];
const ROUND_MS = 500;
/** A frame of SQLite's WAL: a page and its header. */
const FRAME = Buffer.alloc(4096 + 24);
const BLOCKED = 'event loop blocked, ms';
/** The limit that {@link SqliteStore} promises for `{ path }`. */
const MOST_BLOCKED_MS = 10;

const missingRedis = spawnSync('which', ['redis-server']).status === 0 ? [] : ['redis-server'];
const folder = mkdtempSync(join(tmpdir(), 'bench-stores-'));
const closers: (() => unknown)[] = [() => rmSync(folder, { recursive: true })];
let usageCounter = 0;

async function measure(counters: CounterStore, callers: number): Promise<Figures> {
  usageCounter++;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  // The histogram counts from the first run of its timer.
  await sleep(5);
  let count = 0;
  const before = performance.now();
  const call = async (_: unknown, caller: number) => {
    for (let touch = 0; performance.now() - before < ROUND_MS; touch++) {
      const of = { usageCounter: usageCounter + (touch >> 8), sessionUse: touch & 0xff, timestamp: 0 };
      const { advanced } = await counters.advance(String(caller), of, 'nonce-of-16-bytes');
      if (!advanced) throw new Error('a fresh touch was refused');
      count++;
      // The next request would arrive over a socket, in another turn of the event loop.
      await nextTurn();
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  const perSecond = (count * 1000) / (performance.now() - before);
  // A delay is recorded by the timer that was late.
  await sleep(5);
  delay.disable();
  usageCounter += count >> 8;
  return { 'per second': perSecond, [BLOCKED]: delay.max / 1e6 };
}

const disk: Contestant = {
  name: 'limit: write and fdatasync, one after another',
  async measure() {
    const file = openSync(join(folder, 'bare'), 'w');
    const before = performance.now();
    let [count, worst, last] = [0, 0, before];
    while (last - before < ROUND_MS) {
      writeSync(file, FRAME, 0, FRAME.length, (count++ % 1000) * FRAME.length);
      fdatasyncSync(file);
      const now = performance.now();
      worst = Math.max(worst, now - last);
      last = now;
    }
    closeSync(file);
    return { 'per second': (count * 1000) / (last - before), [BLOCKED]: worst };
  },
};

/** Measures the effect of other processes on an event loop. */
const idle: Contestant = {
  name: 'control: an event loop with nothing to do',
  async measure() {
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    await sleep(ROUND_MS);
    delay.disable();
    return { [BLOCKED]: delay.max / 1e6 };
  },
};

async function openStores(): Promise<Record<string, CounterStore>> {
  const database = openSqlite(join(folder, 'here.db'));
  closers.unshift(() => database.close());
  const inThreads = new SqliteStore({ path: join(folder, 'threads.db'), driver: 'libsql' });
  closers.unshift(() => inThreads.close());
  const stores: Record<string, SqliteStore | PostgresStore | RedisStore> = {
    'SQLite { database }': new SqliteStore({ database }),
    'SQLite { path }': inThreads,
  };
  if (missingPostgres.length === 0) {
    const server = await PostgresServer.start();
    closers.unshift(() => server.stop());
    const pool = server.pool({ connectionString: await server.newDatabase() });
    closers.unshift(() => pool.end());
    stores.PostgreSQL = new PostgresStore({ pool });
  }
  if (missingRedis.length === 0) {
    const server = await RedisServer.start();
    closers.unshift(() => server.stop());
    const client = createClient({ url: server.url });
    await client.connect();
    closers.unshift(() => client.destroy());
    stores.Redis = new RedisStore({ sendCommand: (_key, command) => client.sendCommand(command) });
  }
  for (const store of Object.values(stores)) await store.migrate();
  return Object.fromEntries(Object.entries(stores).map(([name, { counters }]) => [name, counters]));
}

try {
  const stores = Object.entries(await openStores());
  const contestants = CALLERS.flatMap((callers) =>
    stores.map(([name, counters]) => ({
      name: `${name}, ${callers} at once`,
      measure: () => measure(counters, callers),
    })),
  );
  const measured = await compare([disk, ...contestants, idle]);
  keepReport({
    bench: 'stores',
    measured,
    goals: CALLERS.map((callers) => ({
      what: `event loop blocked by SQLite { path }, ${callers} at once, ms`,
      reached: median(
        (measured[`SQLite { path }, ${callers} at once`] ?? []).map((it) => it[BLOCKED] as number),
      ),
      atMost: MOST_BLOCKED_MS,
    })),
    skipped: {
      ...(missingPostgres.length > 0 && { PostgreSQL: `needs ${missingPostgres.join(', ')}` }),
      ...(missingRedis.length > 0 && { Redis: `needs ${missingRedis.join(', ')}` }),
    },
    notes: [
      'Redis syncs its log before each answer (appendfsync always), PostgreSQL runs with fsync and synchronous_commit on.',
      'The control shows how late timers are on this machine without any store.',
    ],
  });
} finally {
  for (const close of closers) await close();
}
