import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import LibsqlDatabase from 'libsql';
import {
  type CounterStore,
  Keyring,
  type KeyStore,
  MemoryStore,
  newMasterKey,
  PostgresStore,
  RedisStore,
  SealedKeyStore,
  SqliteStore,
} from 'passport-yubikey-otp/stores';
import type pg from 'pg';
import { createClient } from 'redis';
import { missingPostgres, PostgresServer } from '../test/support/servers/postgres.js';
import { RedisServer } from '../test/support/servers/redis.js';
import { compare, type Figures } from './compare.js';
import { benchmarkKey } from './growth/many-keys.js';
import { keepReport } from './report.js';

/** Measures the space that one key and one verification take in each store. docs/growth.md uses these figures. */
const COUNT = 20_000;
const AT_ONCE = 512;

interface Measurable {
  readonly name: string;
  readonly keys: KeyStore;
  readonly counters: CounterStore;
  /** Size of all data. */
  bytes(): Promise<number>;
  /** Bytes written to the log so far, if the engine reports it. */
  logged?(): Promise<number>;
}

const closers: (() => unknown)[] = [];
const keyring = new Keyring({ keys: { bench: newMasterKey() }, current: 'bench' });

async function forAll(work: (number: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < COUNT) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function measureCosts({ keys, counters, bytes, logged }: Measurable): Promise<Figures> {
  const sealed = new SealedKeyStore(keys, keyring);
  const empty = await bytes();
  await forAll((number) => sealed.add(benchmarkKey(number)));
  const withKeys = await bytes();
  const advance = (sessionUse: number) =>
    forAll(async (number) => {
      const touch = { usageCounter: 1, sessionUse, timestamp: number };
      const { advanced } = await counters.advance(
        benchmarkKey(number).publicId,
        touch,
        `nonce${number}`.padEnd(32, '0'),
      );
      if (!advanced) throw new Error('a fresh touch was refused');
    });
  await advance(0);
  const withCounters = await bytes();
  const before = await logged?.();
  await advance(1);
  const after = await logged?.();
  return {
    'a key, bytes': (withKeys - empty) / COUNT,
    'its counters, bytes': (withCounters - withKeys) / COUNT,
    ...(before !== undefined &&
      after !== undefined && { 'log of a verification, bytes': (after - before) / COUNT }),
  };
}

function memory(): Measurable {
  const { keys, counters } = new MemoryStore();
  const bytes = async () => {
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  return { name: 'MemoryStore', keys, counters, bytes };
}

async function sqlite(): Promise<Measurable> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-costs-'));
  closers.unshift(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'keys.db');
  const store = new SqliteStore({ path, driver: 'libsql' });
  closers.unshift(() => store.close());
  await store.migrate();
  const bytes = async () => {
    const database = new LibsqlDatabase(path);
    database.pragma('wal_checkpoint(TRUNCATE)');
    database.close();
    return statSync(path).size;
  };
  return { name: 'SQLite', keys: store.keys, counters: store.counters, bytes };
}

async function postgres(): Promise<Measurable> {
  const server = await PostgresServer.start();
  closers.unshift(() => server.stop());
  const pool = server.pool({ connectionString: await server.newDatabase() });
  closers.unshift(() => pool.end());
  const store = new PostgresStore({ pool });
  await store.migrate();
  const number = (sql: string) => async () =>
    Number(((await pool.query(sql)) as pg.QueryResult).rows[0].number);
  const size = (table: string) => `pg_total_relation_size('${table}')`;
  return {
    name: 'PostgreSQL',
    keys: store.keys,
    counters: store.counters,
    bytes: number(`SELECT ${size('yubikey_keys')} + ${size('yubikey_counters')} AS number`),
    logged: number("SELECT pg_current_wal_insert_lsn() - '0/0' AS number"),
  };
}

async function redis(): Promise<Measurable> {
  const server = await RedisServer.start();
  closers.unshift(() => server.stop());
  const client = createClient({ url: server.url });
  await client.connect();
  closers.unshift(() => client.destroy());
  const store = new RedisStore({ sendCommand: (_key, command) => client.sendCommand(command) });
  await store.migrate();
  const info = (name: string) => async () =>
    Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await client.sendCommand<string>(['INFO']))?.[1]);
  return {
    name: 'Redis',
    keys: store.keys,
    counters: store.counters,
    bytes: info('used_memory_dataset'),
    logged: info('aof_current_size'),
  };
}

const hasRedis = spawnSync('which', ['redis-server']).status === 0;
try {
  const measurables = [
    memory(),
    await sqlite(),
    ...(missingPostgres.length === 0 ? [await postgres()] : []),
    ...(hasRedis ? [await redis()] : []),
  ];
  const contestants = measurables.map((it) => ({ name: it.name, measure: () => measureCosts(it) }));
  keepReport({
    bench: 'costs',
    // Sizes do not vary, so one round is enough.
    measured: await compare(contestants, 1),
    goals: [],
    skipped: {
      ...(missingPostgres.length > 0 && { PostgreSQL: 'not installed (Debian: postgresql)' }),
      ...(!hasRedis && { Redis: 'not installed (Debian: redis-server)' }),
    },
    notes: [`${COUNT.toLocaleString('en')} sealed keys, each verified twice, ${AT_ONCE} at once.`],
  });
} finally {
  for (const close of closers) await close();
}
