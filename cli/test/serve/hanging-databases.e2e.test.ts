import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { describeWith } from '../../../test/support/programs.js';
import { LossyProxy } from '../../../test/support/servers/lossy-proxy.js';
import { missingPostgres, PostgresServer } from '../../../test/support/servers/postgres.js';
import { RedisServer } from '../../../test/support/servers/redis.js';
import { run, temporaryFolder } from '../support/command.js';
import { ACCEPTED, ANSWERED_MS, Doors, FAULTS, STOPPED_MS } from '../support/serve/doors.js';
import { freeze, hangingCalls } from '../support/serve/hanging.js';

async function silentable(port: number): Promise<LossyProxy> {
  const proxy = await LossyProxy.start(port);
  onTestFinished(() => proxy.stop());
  return proxy;
}

describeWith('yubikey-otp serve over SQLite', ['gcc'], () => {
  it('answers with faults while a sync of the disk hangs, and is killed at SIGTERM', async () => {
    const { env, hang, goOn } = hangingCalls();
    const doors = await Doors.open(undefined, { env });
    expect(await doors.ask()).toMatchObject(ACCEPTED);
    await doors.becomes('ready');
    hang('HANG_SYNCS');
    // What only reads waits for no sync.
    const faults = { ...FAULTS, wsapi: 'OK' };
    for (let times = 0; times < 2; times++) {
      const said = await doors.ask();
      expect(said).toMatchObject(faults);
      expect(said.milliseconds).toBeLessThan(ANSWERED_MS);
    }
    await doors.becomes('unready');
    goOn('HANG_SYNCS');
    await doors.becomes('ready');
    expect(await doors.ask()).toMatchObject(ACCEPTED);

    hang('HANG_SYNCS');
    const said = doors.ask();
    await sleep(500);
    const { code, milliseconds } = await doors.stop();
    expect(await said).toMatchObject(faults);
    expect(milliseconds).toBeLessThan(STOPPED_MS);
    expect(code).toBeNull();
    expect(doors.service.child.signalCode).toBe('SIGKILL');
    expect(doors.service.lines.at(-1)).toMatchObject({
      level: 'error',
      msg: 'killed, since the database hangs',
    });
  });

  it('does not start while a sync hangs, and still ends', async () => {
    const { env, hang } = hangingCalls();
    hang('HANG_SYNCS');
    const startedAt = performance.now();
    const masterKey = { YUBIKEY_MASTER_KEY: MASTER_KEY };
    const ended = await run(['serve', '--port', '0'], {
      cwd: temporaryFolder(),
      env: { ...env, ...masterKey },
    });
    expect(ended.code).not.toBe(0);
    expect(ended.stderr).toMatch(/^Error: The database .* cannot be used: .*No answer within 5000 ms/m);
    expect(performance.now() - startedAt).toBeLessThan(15_000);
  });
});

/** Each answers with a fault in time, says so at `/ready`, and is as before when the database is. */
async function expectFaultsWhile(doors: Doors, hang: () => void, goOn: () => void): Promise<void> {
  expect(await doors.ask()).toMatchObject(ACCEPTED);
  await doors.becomes('ready');
  hang();
  await doors.expectFaults();
  await doors.becomes('unready');
  await doors.expectFaults();
  goOn();
  await doors.becomes('ready', 30_000);
  expect(await doors.ask()).toMatchObject(ACCEPTED);
}

describeWith('yubikey-otp serve over Redis', ['redis-server'], () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  }, 60_000);
  afterAll(() => server?.stop());

  it('answers with faults while Redis is stopped, and ends at SIGTERM', async () => {
    const doors = await Doors.open(`${server.url}/1`);
    let frozen: ReturnType<typeof freeze> | undefined;
    await expectFaultsWhile(
      doors,
      () => {
        frozen = freeze(server.pid);
      },
      () => frozen?.thaw(),
    );
    freeze(server.pid);
    await doors.expectFaults();
    const { code, milliseconds } = await doors.stop();
    expect(milliseconds).toBeLessThan(STOPPED_MS);
    expect(code).toBe(0);
  });

  it('replaces a silent connection', async () => {
    const proxy = await silentable(server.port);
    const doors = await Doors.open(`redis://127.0.0.1:${proxy.port}/2`);
    await expectFaultsWhile(
      doors,
      () => proxy.silence(),
      () => proxy.listen(),
    );
  });

  it('as commands end with an error while Redis is stopped, or silent', async () => {
    const proxy = await silentable(server.port);
    proxy.silence();
    const { thaw } = freeze(server.pid);
    await Promise.all([server.port, proxy.port].map((port) => expectErrors(`redis://127.0.0.1:${port}`)));
    thaw();
  });
});

describeWith('yubikey-otp serve over PostgreSQL', missingPostgres, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 60_000);
  afterAll(() => server?.stop(), 30_000);

  it('answers with faults while PostgreSQL is stopped, and ends at SIGTERM', async () => {
    const doors = await Doors.open(await server.newSchema());
    let frozen: ReturnType<typeof freeze> | undefined;
    await expectFaultsWhile(
      doors,
      () => {
        frozen = freeze(server.pid);
      },
      () => frozen?.thaw(),
    );
    freeze(server.pid);
    await doors.expectFaults();
    const { code, milliseconds } = await doors.stop();
    expect(milliseconds).toBeLessThan(STOPPED_MS);
    expect(code).toBe(0);
  });

  it('answers with faults while its connections are silent', async () => {
    const proxy = await silentable(server.port);
    const url = (await server.newSchema()).replace(String(server.port), String(proxy.port));
    await expectFaultsWhile(
      await Doors.open(url),
      () => proxy.silence(),
      () => proxy.listen(),
    );
  });

  it('as commands end with an error while PostgreSQL is stopped, or silent', async () => {
    const proxy = await silentable(server.port);
    proxy.silence();
    const { thaw } = freeze(server.pid);
    const urls = [server.port, proxy.port].map((port) => `postgres://test@127.0.0.1:${port}/postgres`);
    await Promise.all(urls.map(expectErrors));
    thaw();
  });
});

const MASTER_KEY = `one:${Buffer.alloc(32, 7).toString('base64')}`;
const COMMANDS = [
  ['keys', 'list'],
  ['keys', 'import', '-', '--dry-run'],
  ['serve', '--port', '0'],
];

async function expectErrors(db: string): Promise<void> {
  const env = { YUBIKEY_DB: db, YUBIKEY_MASTER_KEY: MASTER_KEY };
  const startedAt = performance.now();
  for (const ended of await Promise.all(COMMANDS.map((it) => run(it, { cwd: temporaryFolder(), env })))) {
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toMatch(
      /^Error: The database .* cannot be used: .*(no answer within 5000 ms|connection timeout)/im,
    );
  }
  expect(performance.now() - startedAt).toBeLessThan(15_000);
}
