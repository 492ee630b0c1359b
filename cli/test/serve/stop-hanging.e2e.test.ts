import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { describeWith } from '../../../test/support/programs.js';
import { RedisServer } from '../../../test/support/servers/redis.js';
import { MAIN, temporaryFolder } from '../support/command.js';
import { Doors, STOPPED_MS } from '../support/serve/doors.js';
import { hangingCalls } from '../support/serve/hanging.js';

async function waitForEnd(
  child: ChildProcess,
): Promise<{ code: number | null; signal: string | null; milliseconds: number }> {
  const startedAt = performance.now();
  const [code, signal] = await once(child, 'exit');
  return { code, signal, milliseconds: performance.now() - startedAt };
}

/** Starts a service whose output nobody reads once it has started, and has a sync hang. */
async function startUnread(command: (line: string) => string[]) {
  const { env, hang } = hangingCalls();
  const [program = '', ...args] = command(`exec "${process.execPath}" "${MAIN}" serve --port 0 2>&1`);
  const child = spawn(program, args, {
    cwd: temporaryFolder(),
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  // The messages and the log come in any order.
  const findUrl = () => /"url":"([^"]+)"/.exec(output)?.[1];
  while (!output.includes('Store YubiKeys') || !findUrl()) output += (await once(child.stdout, 'data'))[0];
  child.stdout.pause();
  const url = findUrl();
  const ready = async () => (await fetch(`${url}/ready`)).status;
  expect(await ready()).toBe(200);
  hang('HANG_SYNCS');
  await expect.poll(ready, { timeout: 20_000 }).toBe(503);
  return { child, url };
}

describeWith('SIGTERM while a sync of the disk hangs', ['gcc'], () => {
  it('ends the process at once the second time', async () => {
    const { env, hang } = hangingCalls();
    const doors = await Doors.open(undefined, { env });
    hang('HANG_SYNCS');
    const asked = doors.ask().catch(() => undefined);
    await sleep(500);
    doors.service.child.kill('SIGTERM');
    await doors.service.line({ msg: 'stopping' });
    const startedAt = performance.now();
    expect((await doors.service.stop()).code).not.toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    await asked;
  });

  it('ends a process whose log nobody reads', async () => {
    const { child, url } = await startUnread((line) => ['sh', '-c', line]);
    for (let asked = 0; asked < 1500; asked++) await fetch(`${url}/wsapi/2.0/verify?id=1`);
    child.kill('SIGTERM');
    const { code, milliseconds } = await waitForEnd(child);
    expect(code).not.toBe(0);
    expect(milliseconds).toBeLessThan(STOPPED_MS);
  });

  it('ends a process with a client that sends slowly', async () => {
    const { env, hang } = hangingCalls();
    const doors = await Doors.open(undefined, { env });
    const socket = connect(Number(new URL(doors.service.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write('POST /api/v1/decrypt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{');
    const sending = setInterval(() => socket.write(' '), 100);
    onTestFinished(() => {
      clearInterval(sending);
      socket.destroy();
    });
    hang('HANG_SYNCS');
    const asked = doors.ask();
    await sleep(500);
    const { code, milliseconds } = await doors.stop();
    expect(await asked).toMatchObject({ validation: 'BACKEND_ERROR', rest: 'STORAGE_ERROR' });
    expect(code).not.toBe(0);
    expect(milliseconds).toBeLessThan(STOPPED_MS);
  });
});

/** Only root may. */
const mayUnshare = process.getuid?.() === 0 ? [] : ['root'];

describeWith(
  'SIGTERM to the first process of a container',
  ['gcc', 'unshare', 'sh', 'ps', ...mayUnshare],
  () => {
    it('ends it while a sync of the disk hangs', async () => {
      const { child } = await startUnread((line) => ['unshare', '--pid', '--fork', 'sh', '-c', line]);
      const [first] = execFileSync('ps', ['-o', 'pid=', '--ppid', String(child.pid)], { encoding: 'utf8' })
        .trim()
        .split('\n');
      process.kill(Number(first), 'SIGTERM');
      const { code, milliseconds } = await waitForEnd(child);
      expect(code).not.toBe(0);
      expect(milliseconds).toBeLessThan(STOPPED_MS);
    });
  },
);

describeWith(
  'SIGTERM while the name of the database host is looked up for ever',
  ['gcc', 'redis-server'],
  () => {
    it('ends the process', async () => {
      const { env, hang } = hangingCalls();
      const server = await RedisServer.start();
      onTestFinished(() => server.stop());
      const doors = await Doors.open(server.url.replace('127.0.0.1', 'localhost'), { env });
      await doors.becomes('ready');
      hang('HANG_NAMES');
      await server.halt('SIGKILL');
      await doors.becomes('unready');
      const { code, milliseconds } = await doors.stop();
      expect(code).not.toBe(0);
      expect(milliseconds).toBeLessThan(STOPPED_MS);
    });
  },
);
