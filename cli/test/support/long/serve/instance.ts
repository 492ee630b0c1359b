import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { MAIN } from '../../command.js';

/** One running `yubikey-otp serve`, which logs to a file. */
export class Instance {
  readonly ended: Promise<number | null>;

  private constructor(
    readonly child: ReturnType<typeof spawn>,
    readonly url: string,
  ) {
    this.ended = once(child, 'close').then(([code]) => code);
  }

  /** Starts it and waits until it answers. It ends with the test. */
  static async start(
    args: readonly string[],
    { port, cwd, env, log }: { port: number; cwd: string; env: Record<string, string>; log: string },
  ): Promise<Instance> {
    const file = openSync(log, 'a', 0o600);
    const child = spawn(process.execPath, [MAIN, 'serve', '--port', String(port), ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', file, file],
    });
    closeSync(file);
    const instance = new Instance(child, `http://127.0.0.1:${port}`);
    onTestFinished(() => instance.kill());
    for (let tries = 0; tries < 600; tries++) {
      if (child.exitCode !== null) break;
      const isUp = await fetch(`${instance.url}/health`, { headers: { connection: 'close' } }).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isUp) return instance;
      await sleep(50);
    }
    throw new Error(`The service did not start:\n${readFileSync(log, 'utf8').slice(-2000)}`);
  }

  /** @returns its exit code, and how long it took. */
  async stop(): Promise<{ code: number | null; milliseconds: number }> {
    const startedAt = performance.now();
    this.child.kill('SIGTERM');
    const code = await this.ended;
    return { code, milliseconds: performance.now() - startedAt };
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.url}/metrics`, { headers: { connection: 'close' } })).text();
  }
}
