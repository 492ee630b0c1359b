import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../../test/support/programs.js';
import { MAIN, temporaryFolder } from '../support/command.js';

async function startInShell(command: string, port: number) {
  const child = spawn('sh', ['-c', command], { cwd: temporaryFolder(), stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  await expect
    .poll(
      () =>
        fetch(`${url}/ready`).then(
          (it) => it.status,
          () => 0,
        ),
      { timeout: 20_000 },
    )
    .toBe(200);
  return { child, url };
}

describe('a log that nobody reads', () => {
  it.skipIf(!existsSync('/dev/full'))('stops neither the service nor its end: a full disk', async () => {
    const port = await freePort();
    const { child, url } = await startInShell(
      `exec "${process.execPath}" "${MAIN}" serve --port ${port} > /dev/full`,
      port,
    );
    for (let asked = 0; asked < 20; asked++) {
      expect((await fetch(`${url}/wsapi/2.0/verify?id=1`)).status).toBe(200);
    }
    await sleep(300);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });

  it('stops neither the service nor its end: nobody reads the pipe', async () => {
    const port = await freePort();
    const { child, url } = await startInShell(
      `exec "${process.execPath}" "${MAIN}" serve --port ${port}`,
      port,
    );
    for (let asked = 0; asked < 1500; asked++) {
      expect((await fetch(`${url}/wsapi/2.0/verify?id=1`)).status).toBe(200);
    }
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });
});
