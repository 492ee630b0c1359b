import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, killOnInterrupt } from '../programs.js';

/** Shorter than the timeout of a hook, so that a server that does not start is killed before the hook times out. */
const START_MS = 25_000;

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
    try {
      await server.run(settings);
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  get pid(): number {
    return this.#server?.pid as number;
  }

  get #isRunning(): boolean {
    return this.#server?.exitCode === null && this.#server.signalCode === null;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async run(settings: readonly string[] = RedisServer.DURABLE): Promise<void> {
    const place = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder, '--save', ''];
    this.#server = spawn('redis-server', [...place, ...settings], { stdio: 'ignore' });
    killOnInterrupt(this.#server);
    const until = performance.now() + START_MS;
    while (this.#isRunning && performance.now() < until) {
      const isUp = await new Promise<boolean>((resolve) => {
        const socket = connect(this.port, '127.0.0.1', () => socket.write('PING\r\n'));
        socket.once('data', (answer) => resolve(String(answer).startsWith('+PONG')));
        socket.once('error', () => resolve(false)).once('close', () => resolve(false));
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
    if (!server || !this.#isRunning) return;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill(signal);
    await ended;
  }

  async stop(): Promise<void> {
    await this.halt('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
