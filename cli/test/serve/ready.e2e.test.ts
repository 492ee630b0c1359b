import { execFileSync } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import LibsqlDatabase from 'libsql';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { describeWith } from '../../../test/support/programs.js';
import { missingPostgres, PostgresServer } from '../../../test/support/servers/postgres.js';
import { RedisServer } from '../../../test/support/servers/redis.js';
import { run, temporaryFolder } from '../support/command.js';
import { ACCEPTED, ANSWERED_MS, Doors, FAULTS } from '../support/serve/doors.js';

interface Fault {
  begin(): Promise<void>;
  end(): Promise<void>;
}

/** What only reads may still work. */
const MAY_READ = { ...FAULTS, wsapi: expect.stringMatching(/^(OK|ERR Database error)$/) };

/** The service finds the fault by itself, answers with faults, and goes on by itself when it is over. */
async function expectUnready(doors: Doors, { begin, end }: Fault): Promise<void> {
  expect(await doors.ask()).toMatchObject(ACCEPTED);
  await begin();
  await doors.becomes('unready');
  const said = await doors.ask();
  expect(said).toMatchObject(MAY_READ);
  expect(said.milliseconds).toBeLessThan(ANSWERED_MS);
  expect(await doors.status()).toEqual({ ready: 503, health: 'disconnected' });
  await end();
  await doors.becomes('ready');
  expect(await doors.ask()).toMatchObject(ACCEPTED);
  expect(await doors.stop()).toMatchObject({ code: 0 });
}

/** The log of SQLite may have room from before, which writes go on in. */
async function useUpRoom(doors: Doors): Promise<void> {
  await expect
    .poll(() => doors.verify(doors.press()), { timeout: 20_000, interval: 5 })
    .toBe('BACKEND_ERROR');
}

describe('a service whose probes write', () => {
  it('lists and counts none of them', async () => {
    const doors = await Doors.open(undefined, { cwd: temporaryFolder() });
    const list = async () =>
      (await run(['counters', 'list', '--json'], { cwd: doors.cwd, env: doors.env })).stdout;
    const before = await list();
    await doors.becomes('ready');
    expect(await list()).toBe(before);
    const metrics = await (await fetch(`${doors.service.url}/metrics`)).text();
    expect(metrics).not.toMatch(/^yubikey_\w+_total\{.*\} [1-9]/m);
  });
});

describe('a SQLite file', () => {
  it('that another process keeps locked makes a service unready, and answers with faults', async () => {
    const doors = await Doors.open();
    const database = new LibsqlDatabase(join(doors.cwd, 'yubikey-otp.db'));
    onTestFinished(() => void database.close());
    await expectUnready(doors, {
      begin: async () => void database.exec('BEGIN IMMEDIATE'),
      end: async () => void database.exec('ROLLBACK'),
    });
  });
});

describeWith('a SQLite file that may not grow', ['prlimit'], () => {
  it('makes a service unready, and answers with faults', async () => {
    const doors = await Doors.open();
    const limit = (bytes: number | 'unlimited') =>
      execFileSync('prlimit', [`--pid=${doors.service.child.pid}`, `--fsize=${bytes}:`]);
    await expectUnready(doors, {
      async begin() {
        limit(statSync(join(doors.cwd, 'yubikey-otp.db-wal')).size);
        await useUpRoom(doors);
      },
      end: async () => void limit('unlimited'),
    });
  });
});

/** Only root may mount. */
const maySmallDisk = process.getuid?.() === 0 ? [] : ['root'];

describeWith('a full disk', [...maySmallDisk, 'mount', 'umount', 'sh'], () => {
  it('makes a service unready, and answers with faults', async () => {
    const cwd = temporaryFolder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', cwd]);
    onTestFinished(() => void execFileSync('umount', ['-l', cwd]));
    const doors = await Doors.open(undefined, { cwd });
    const filler = join(cwd, 'filler');
    await expectUnready(doors, {
      begin: async () => {
        execFileSync('sh', ['-c', 'cat /dev/zero > filler || true'], { cwd, stdio: 'ignore' });
        await useUpRoom(doors);
      },
      end: async () => rmSync(filler),
    });
  });
});

describeWith('a Redis that refuses writes', ['redis-server', 'redis-cli'], () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  }, 60_000);
  afterAll(() => server?.stop());

  const redis =
    (...command: string[]) =>
    async () =>
      void execFileSync('redis-cli', ['-p', String(server.port), ...command]);
  const CASES: [string, Fault][] = [
    [
      'OOM: its memory is full',
      { begin: redis('CONFIG', 'SET', 'maxmemory', '1'), end: redis('CONFIG', 'SET', 'maxmemory', '0') },
    ],
    [
      'READONLY: it has become a replica',
      { begin: redis('REPLICAOF', '127.0.0.1', '1'), end: redis('REPLICAOF', 'NO', 'ONE') },
    ],
    [
      'NOREPLICAS: it has lost its replicas',
      {
        begin: redis('CONFIG', 'SET', 'min-replicas-to-write', '1'),
        end: redis('CONFIG', 'SET', 'min-replicas-to-write', '0'),
      },
    ],
  ];
  it.each(CASES)('makes a service unready, and answers with faults (%s)', async (name, fault) => {
    await expectUnready(
      await Doors.open(`${server.url}/${CASES.findIndex(([it]) => it === name) + 1}`),
      fault,
    );
  });
});

describeWith('a PostgreSQL that refuses writes', missingPostgres, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 60_000);
  afterAll(() => server?.stop(), 30_000);

  async function query(sql: string): Promise<void> {
    const pool = server.pool({ max: 1 });
    await pool.query(sql);
    await pool.end();
  }

  it('makes a service unready, and answers with faults (its transactions are read-only)', async () => {
    const set = async (what: string) => {
      await query(`ALTER SYSTEM SET default_transaction_read_only = ${what}`);
      await query('SELECT pg_reload_conf()');
    };
    await expectUnready(await Doors.open(await server.newSchema()), {
      begin: () => set('on'),
      end: () => set('off'),
    });
  });

  it('makes a service unready, and answers with faults (it has no connection left)', async () => {
    const { pathname } = new URL(await server.newDatabase());
    const name = pathname.slice(1);
    // Limits do not hold for who may do all.
    await query('CREATE ROLE service LOGIN');
    await query(`ALTER DATABASE ${name} OWNER TO service`);
    await expectUnready(await Doors.open(`postgres://service@127.0.0.1:${server.port}${pathname}`), {
      async begin() {
        await query(`ALTER DATABASE ${name} CONNECTION LIMIT 0`);
        await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`);
      },
      end: () => query(`ALTER DATABASE ${name} CONNECTION LIMIT -1`),
    });
  });
});
