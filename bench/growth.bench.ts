import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from '../test/support/programs.js';
import { missingPostgres, PostgresServer } from '../test/support/servers/postgres.js';
import { type Contestant, compare, type Figures, type Measured, median, ratio } from './compare.js';
import { fill, someYubikeys } from './growth/many-keys.js';
import { Otps } from './otps.js';
import { keepReport } from './report.js';
import { MAIN, ServiceDatabase } from './service/database.js';
import { load } from './service/load.js';
import { writeRequests } from './service/requests.js';
import { type Started, start } from './service/start.js';

/** Measures `yubikey-otp serve` with a thousand, a hundred thousand and a million keys, and with two processes. */
const SIZES = [1_000, 100_000, 1_000_000];
/** Number of keys in use, spread over all keys: more than one second's load, so each is read from the database. */
const MOST_USED = 100_000;
const SECONDS = 2;
const REQUESTS = 40_000 * SECONDS;

const folder = mkdtempSync(join(tmpdir(), 'bench-growth-'));
const postgres = missingPostgres.length === 0 ? await PostgresServer.start() : undefined;
const running: Started[] = [];
const measured: Record<string, Measured[string]> = {};
const sizes: Record<string, Figures> = {};

async function serve({ env }: ServiceDatabase): Promise<Started> {
  const port = await freePort();
  const args = [MAIN, 'serve', '--port', String(port), '--address-limit', '0', '--client-limit', '0'];
  const service = await start(process.execPath, args, port, env);
  running.push(service);
  return service;
}

async function stop(service: Started): Promise<void> {
  await service.stop();
  running.splice(running.indexOf(service), 1);
}

const words = (keys: number) => `${keys.toLocaleString('en')} keys`;

/** Services with few and with many keys take turns, so each finds the cache of the machine filled by the others. */
async function measure(engine: string, newDatabase: () => Promise<string>): Promise<void> {
  const contestants: Contestant[] = [];
  const starts: Contestant[] = [];
  for (const keys of SIZES) {
    const otps = new Otps(someYubikeys(Math.min(keys, MOST_USED), keys));
    const where = await newDatabase();
    const database = new ServiceDatabase(where, otps.yubikeys.slice(0, 1));
    await fill(database, keys);
    const name = `${engine}, ${words(keys)}`;
    sizes[name] = { 'database, MB': (await measureDatabase(where)) / 1e6 };
    starts.push({
      name,
      async measure() {
        const before = performance.now();
        const started = await serve(database);
        const took = performance.now() - before;
        await stop(started);
        return { 'start-up, ms': took };
      },
    });
    const services = [await serve(database)];
    const requests = join(folder, 'requests');
    contestants.push(createContestant(name, services, otps, requests));
    if (keys === SIZES[0] && where.startsWith('postgres:')) {
      const two = [...services, await serve(database)];
      contestants.push(createContestant(`${name}, two processes`, two, otps, requests));
    }
  }
  for (const [name, rounds] of Object.entries(await compare(contestants))) measured[name] = rounds;
  for (const service of [...running]) await stop(service);
  for (const [name, rounds] of Object.entries(await compare(starts))) {
    measured[name] = (measured[name] ?? []).map((figures, round) => ({
      ...figures,
      ...rounds[round],
      ...sizes[name],
    }));
  }
}

function createContestant(
  name: string,
  services: readonly Started[],
  otps: Otps,
  requests: string,
): Contestant {
  // Each process gets its own keys, so that no OTP of a key can overtake an older one.
  const parts = services.map(
    (_, part) => new Otps(otps.yubikeys.filter((_, at) => at % services.length === part)),
  );
  return {
    name,
    async measure() {
      const loads = services.map((service, at) => {
        const file = `${requests}-${at}`;
        writeRequests(file, parts[at] as Otps, REQUESTS / services.length);
        const connections = 64 / services.length;
        const { url } = service;
        return { url, requests: file, connections, seconds: SECONDS, isEchoed: true, closes: false };
      });
      const loaded = await Promise.all(loads.map(load));
      const figures = loaded.map((it) => it.figures as Record<'per second' | 'p99, ms', number>);
      return {
        'per second': figures.reduce((sum, it) => sum + it['per second'], 0),
        'p99, ms': Math.max(...figures.map((it) => it['p99, ms'])),
        'memory of a process, MB': Math.max(...services.map(({ pid }) => residentBytes(pid))) / 1e6,
      };
    },
  };
}

function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

async function measureDatabase(where: string): Promise<number> {
  if (!where.startsWith('postgres:')) return statSync(where).size;
  const client = new pg.Client({ connectionString: where });
  await client.connect();
  const { rows } = await client.query("SELECT pg_total_relation_size('yubikey_keys') AS bytes");
  await client.end();
  return Number(rows[0].bytes);
}

const engines = ['SQLite', ...(postgres ? ['PostgreSQL'] : [])];
let files = 0;
try {
  await measure('SQLite', async () => join(folder, `${files++}.db`));
  if (postgres) await measure('PostgreSQL', () => postgres.newDatabase());
} finally {
  for (const service of running) await service.stop();
  await postgres?.stop();
  rmSync(folder, { recursive: true, force: true });
}

const [few = 0, , many = 0] = SIZES;
const engineGoals = (engine: string) => {
  const [fewest, most] = [`${engine}, ${words(few)}`, `${engine}, ${words(many)}`];
  const of = (name: string, figure: string) =>
    median((measured[name] ?? []).map((it) => it[figure] as number));
  return [
    {
      what: `${engine}, verifications a second with a million keys, of those with a thousand`,
      reached: ratio(measured, 'per second', most, fewest),
      atLeast: 0.9,
    },
    { what: `${engine}, start-up with a million keys, ms`, reached: of(most, 'start-up, ms'), atMost: 2_000 },
    {
      what: `${engine}, memory of the process with a million keys, of that with a thousand`,
      reached: ratio(measured, 'memory of a process, MB', most, fewest),
      atMost: 1.1,
    },
  ];
};
keepReport({
  bench: 'growth',
  measured,
  goals: engines.flatMap(engineGoals),
  skipped: postgres ? {} : { PostgreSQL: 'not installed (Debian: postgresql)' },
  notes: [
    `64 connections. With 1,000 keys all of them are used, and serve mostly has them from the last second. With more keys, ${MOST_USED.toLocaleString('en')} spread over all are used, and each is read from the database.`,
  ],
});
