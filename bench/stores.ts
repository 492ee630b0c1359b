import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { CounterStore } from '../src/stores/index.js';
import { openSqlite } from '../test/fixtures/shared-store.js';
import { missingPostgres, PostgresServer } from '../test/servers/postgres.js';

/**
 * How many `advance` a second the stores do for so many callers at once, each with a key of its own, and how long
 * they block the event loop meanwhile; beside the syncs a second that the disk does for a bare loop. Names of other
 * checkouts of this repository let them take turns with this one:
 *
 *     npx tsx bench/stores.ts [CHECKOUT ...]
 */
const CALLERS = [1, 16, 64, 256];
const ROUNDS = 5;
const ROUND_MS = 1000;
/** A frame of SQLite's WAL: a page and its header. */
const FRAME = Buffer.alloc(4096 + 24);

interface Contestant {
  name: string;
  counters: CounterStore;
}

interface Figures {
  perSecond: number;
  /** For how many milliseconds the event loop was blocked at most; of the bare loop, the longest sync. */
  worst: number;
}

const folder = mkdtempSync(join(tmpdir(), 'bench-stores-'));
const checkouts = ['.', ...process.argv.slice(2)];
const closers: (() => unknown)[] = [];
const figures = new Map<string, Figures[]>();
let usageCounter = 0;

async function open(checkout: string, server: PostgresServer | undefined): Promise<Contestant[]> {
  const { SqliteStore, PostgresStore } = await import(
    pathToFileURL(resolve(checkout, 'src/stores/index.ts')).href
  );
  const database = openSqlite(join(folder, `${closers.length}.db`));
  closers.push(() => database.close());
  const stores = [['SQLite', new SqliteStore({ database })]];
  if (server) {
    const pool = server.pool({ connectionString: await server.newDatabase() });
    closers.push(() => pool.end());
    stores.push(['PostgreSQL', new PostgresStore({ pool })]);
  }
  for (const [, store] of stores) await store.migrate();
  return stores.map(([engine, { counters }]) => ({ name: `${engine}, ${checkout}`, counters }));
}

async function measure({ counters }: Contestant, callers: number): Promise<Figures> {
  usageCounter++;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  // It counts from the first time that its timer runs.
  await sleep(5);
  let count = 0;
  const before = performance.now();
  const call = async (_: unknown, caller: number) => {
    for (let touch = 0; performance.now() - before < ROUND_MS; touch++) {
      const of = { usageCounter: usageCounter + (touch >> 8), sessionUse: touch & 0xff, timestamp: 0 };
      const { advanced } = await counters.advance(String(caller), of, 'nonce-of-16-bytes');
      if (!advanced) throw new Error('a fresh touch was refused');
      count++;
      // The next request comes over a socket, so in a turn of its own.
      await nextTurn();
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  const perSecond = (count * 1000) / (performance.now() - before);
  // The delay is written down by a timer that was late.
  await sleep(5);
  delay.disable();
  usageCounter += count >> 8;
  return { perSecond, worst: delay.max / 1e6 };
}

function measureDisk(): Figures {
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
  return { perSecond: (count * 1000) / (last - before), worst };
}

function note(name: string, of: Figures): void {
  figures.set(name, [...(figures.get(name) ?? []), of]);
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] as number;
}

const server = missingPostgres.length === 0 ? await PostgresServer.start() : undefined;
try {
  const contestants: Contestant[] = [];
  for (const checkout of checkouts) contestants.push(...(await open(checkout, server)));
  contestants.sort((one, other) => (one.name.split(',')[0] as string).localeCompare(other.name));
  for (let round = 0; round < ROUNDS; round++) {
    note('bare fdatasync', measureDisk());
    for (const callers of CALLERS) {
      for (const contestant of round % 2 === 0 ? contestants : contestants.toReversed()) {
        note(`${contestant.name}, ${callers} at once`, await measure(contestant, callers));
      }
    }
  }
} finally {
  for (const close of closers) await close();
  await server?.stop();
  rmSync(folder, { recursive: true });
}
console.log(`medians of ${ROUNDS} rounds`);
console.table(
  Object.fromEntries(
    [...figures].map(([name, of]) => [
      name,
      {
        'per second': Math.round(medianOf(of.map(({ perSecond }) => perSecond))),
        'event loop blocked, ms': Math.round(medianOf(of.map(({ worst }) => worst))),
      },
    ]),
  ),
);
