import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../programs.js';

/** A Redis server for one test, on a free port, with its data in a temporary folder. */
export class RedisServer {
  #server: ChildProcess | undefined;
  readonly #folder: string;

  private constructor(
    readonly port: number,
    folder: string,
  ) {
    this.#folder = folder;
  }

  static readonly DURABLE = [
    '--appendonly',
    'yes',
    '--appendfsync',
    'always',
    '--maxmemory-policy',
    'noeviction',
  ];

  static async start(settings: readonly string[] = RedisServer.DURABLE): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), mkdtempSync(join(tmpdir(), 'redis-')));
    await server.run(settings);
    return server;
  }

  get pid(): number {
    return this.#server?.pid as number;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async run(settings: readonly string[] = RedisServer.DURABLE): Promise<void> {
    const place = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder, '--save', ''];
    this.#server = spawn('redis-server', [...place, ...settings], { stdio: 'ignore' });
    for (let tries = 0; tries < 200; tries++) {
      const isUp = await new Promise<boolean>((resolve) => {
        const socket = connect(this.port, '127.0.0.1', () => socket.write('PING\r\n'));
        socket.once('data', (answer) => resolve(String(answer).startsWith('+PONG')));
        socket.once('error', () => resolve(false));
        socket.once('data', () => socket.destroy());
      });
      if (isUp) return;
      await sleep(25);
    }
    throw new Error('Redis did not start');
  }

  /** Suspends or resumes the process. */
  kill(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#server?.kill(signal);
  }

  async halt(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const server = this.#server;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill(signal);
    await ended;
  }

  async stop(): Promise<void> {
    await this.halt('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
