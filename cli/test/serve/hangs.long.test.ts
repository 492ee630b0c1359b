import { execFileSync } from 'node:child_process';
import { copyFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import LibsqlDatabase from 'libsql';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import { repetitions } from '../../../test/support/long/repetitions.js';
import { describeWith } from '../../../test/support/programs.js';
import { LossyProxy } from '../../../test/support/servers/lossy-proxy.js';
import { missingPostgres, PostgresServer } from '../../../test/support/servers/postgres.js';
import { RedisServer } from '../../../test/support/servers/redis.js';
import { temporaryFolder } from '../support/command.js';
import { ACCEPTED, ANSWERED_MS, Doors, STOPPED_MS } from '../support/serve/doors.js';
import { freeze, hangingCalls } from '../support/serve/hanging.js';

const ROUNDS = repetitions(5, 2);

/** A service, and what happens to its database. */
interface Scene {
  readonly doors: Doors;
  begin(): unknown;
  /** Undefined where the service does not go on by itself. */
  readonly end?: (() => unknown) | undefined;
}

const FILE = 'yubikey-otp.db';

async function openSqlite(begin: (doors: Doors) => unknown, end?: (doors: Doors) => unknown): Promise<Scene> {
  const doors = await Doors.open(undefined, { cwd: temporaryFolder() });
  return { doors, begin: () => begin(doors), end: end && (() => end(doors)) };
}

const limit = (doors: Doors, bytes: number | 'unlimited') =>
  execFileSync('prlimit', [`--pid=${doors.service.child.pid}`, `--fsize=${bytes}:`]);

const SQLITE: [string, () => Promise<Scene>][] = [
  [
    'SQLite, a sync that hangs',
    async () => {
      const { env, hang, goOn } = hangingCalls();
      const doors = await Doors.open(undefined, { env });
      return { doors, begin: () => hang('HANG_SYNCS'), end: () => goOn('HANG_SYNCS') };
    },
  ],
  [
    'SQLite, no room for the log',
    () =>
      openSqlite(
        (doors) => limit(doors, statSync(join(doors.cwd, `${FILE}-wal`)).size - 1),
        (doors) => limit(doors, 'unlimited'),
      ),
  ],
  [
    'SQLite, locked by another process',
    async () => {
      const doors = await Doors.open();
      const database = new LibsqlDatabase(join(doors.cwd, FILE));
      onTestFinished(() => void database.close());
      return { doors, begin: () => database.exec('BEGIN IMMEDIATE'), end: () => database.exec('ROLLBACK') };
    },
  ],
  [
    'SQLite, the file replaced',
    () =>
      openSqlite(({ cwd }) => {
        copyFileSync(join(cwd, FILE), join(cwd, 'copy'));
        renameSync(join(cwd, 'copy'), join(cwd, FILE));
      }),
  ],
];

/** Counts what is answered while something is wrong, and what may never be answered. */
async function play(name: string, { doors, begin, end }: Scene): Promise<string> {
  const used: string[] = [];
  const accept = async () => {
    const otp = doors.press();
    if ((await doors.verify(otp)) === 'OK') used.push(otp);
  };
  const acceptedTwice = async () =>
    (await Promise.all(used.map((otp) => doors.verify(otp)))).filter((it) => it === 'OK').length;
  for (let times = 0; times < 3; times++) await accept();
  expect(await doors.ask()).toMatchObject(ACCEPTED);

  await begin();
  const beganAt = performance.now();
  const unready = doors.becomes('unready', 60_000).then(() => performance.now() - beganAt);
  let [answers, faults, slowest] = [0, 0, 0];
  for (let round = 0; round < ROUNDS; round++) {
    const { milliseconds, ...said } = await doors.ask();
    const all = Object.values(said);
    answers += all.length;
    faults += all.filter((it) => it !== 'OK').length;
    slowest = Math.max(slowest, milliseconds);
    await sleep(1_100);
  }
  const unreadyMs = await unready;
  let twice = await acceptedTwice();
  if (end) {
    await end();
    await doors.becomes('ready', 40_000);
    expect(await doors.ask()).toMatchObject(ACCEPTED);
    twice += await acceptedTwice();
    await begin();
  }
  const asked = doors.ask();
  await sleep(300);
  const { code, milliseconds } = await doors.stop();
  const last = await asked.catch(() => undefined);
  expect(slowest).toBeLessThan(ANSWERED_MS);
  expect(twice).toBe(0);
  expect(milliseconds).toBeLessThan(STOPPED_MS);
  return [
    name.padEnd(36),
    `answered ${answers} of ${3 * ROUNDS}, ${faults} faults`.padEnd(28),
    `slowest ${(slowest / 1000).toFixed(1)} s`.padEnd(15),
    `accepted twice ${twice}`,
    `/ready 503 after ${(unreadyMs / 1000).toFixed(1)} s`,
    end ? 'recovers' : 'refuses until it is restarted',
    `SIGTERM ${(milliseconds / 1000).toFixed(1)} s, ${code === null ? 'killed' : `exit code ${code}`}, the last requests ${last ? 'answered' : 'LOST'}`,
  ].join('  ');
}

const table: string[] = [];
afterAll(() => console.log(table.join('\n')));

describeWith('yubikey-otp serve over SQLite', ['gcc', 'prlimit'], () => {
  it.each(SQLITE)('%s', async (name, open) => {
    table.push(await play(name, await open()));
  });
});

describeWith('yubikey-otp serve over Redis', ['redis-server', 'redis-cli'], () => {
  const CASES: [string, (server: RedisServer, proxy: LossyProxy) => Omit<Scene, 'doors'>][] = [
    ['Redis, SIGSTOP', (server) => frozen(server)],
    ['Redis, SIGKILL', (server) => ({ begin: () => server.halt('SIGKILL'), end: () => server.run() })],
    ['Redis, a silent connection', (_, proxy) => silent(proxy)],
    [
      'Redis, no memory left',
      ({ port }) => {
        const set = (bytes: string) => () =>
          execFileSync('redis-cli', ['-p', String(port), 'CONFIG', 'SET', 'maxmemory', bytes]);
        return { begin: set('1'), end: set('0') };
      },
    ],
  ];
  it.each(CASES)('%s', async (name, scene) => {
    const server = await RedisServer.start();
    onTestFinished(() => server.stop());
    const proxy = await LossyProxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const doors = await Doors.open(`redis://127.0.0.1:${proxy.port}`);
    table.push(await play(name, { doors, ...scene(server, proxy) }));
  });
});

describeWith('yubikey-otp serve over PostgreSQL', missingPostgres, () => {
  const CASES: [string, (server: PostgresServer, proxy: LossyProxy) => Omit<Scene, 'doors'>][] = [
    ['PostgreSQL, SIGSTOP', (server) => frozen(server)],
    ['PostgreSQL, SIGQUIT', (server) => ({ begin: () => server.halt('SIGQUIT'), end: () => server.run() })],
    ['PostgreSQL, silent connections', (_, proxy) => silent(proxy)],
    [
      'PostgreSQL, read-only',
      (server) => {
        const set = (what: string) => async () => {
          const pool = server.pool({ max: 1 });
          await pool.query(`ALTER SYSTEM SET default_transaction_read_only = ${what}`);
          await pool.query('SELECT pg_reload_conf()');
          await pool.end();
        };
        return { begin: set('on'), end: set('off') };
      },
    ],
  ];
  it.each(CASES)('%s', async (name, scene) => {
    const server = await PostgresServer.start();
    onTestFinished(() => server.stop());
    const proxy = await LossyProxy.start(server.port);
    onTestFinished(() => proxy.stop());
    const url = (await server.newSchema()).replace(String(server.port), String(proxy.port));
    table.push(await play(name, { doors: await Doors.open(url), ...scene(server, proxy) }));
  });
});

function frozen(server: { readonly pid: number }): Omit<Scene, 'doors'> {
  let thaw = () => {};
  return {
    begin: () => {
      thaw = freeze(server.pid).thaw;
    },
    end: () => thaw(),
  };
}

function silent(proxy: LossyProxy): Omit<Scene, 'doors'> {
  return { begin: () => proxy.silence(), end: () => proxy.listen() };
}
