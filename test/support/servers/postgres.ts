import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { freePort, killOnInterrupt } from '../programs.js';

const DEBIAN = '/usr/lib/postgresql';

/** Debian keeps the server's programs outside PATH, by version. */
function findProgramFolder(): string | undefined {
  const versions = existsSync(DEBIAN)
    ? readdirSync(DEBIAN).sort((one, other) => Number(other) - Number(one))
    : [];
  return versions
    .map((version) => join(DEBIAN, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')));
}

/** The programs that are missing here, for `describeWith`. */
export const missingPostgres = findProgramFolder() ? [] : ['postgresql'];

/** PostgreSQL refuses to run as root. Debian's package creates a user for it. */
function unprivileged(): { uid?: number | undefined; gid?: number | undefined } {
  if (process.getuid?.() !== 0) return {};
  const users = readFileSync('/etc/passwd', 'utf8');
  const [, uid, gid] = /^postgres:[^:]*:(\d+):(\d+):/m.exec(users) ?? [];
  if (!uid || !gid) throw new Error('PostgreSQL does not run as root, and /etc/passwd has no user postgres');
  return { uid: Number(uid), gid: Number(gid) };
}

/** Shorter than the timeout of a hook, so that a server that does not start is killed before the hook times out. */
const START_MS = 25_000;

/** A PostgreSQL server for one test, on a free port, with its data in a temporary folder. */
export class PostgresServer {
  #server: ChildProcess | undefined;
  readonly #folder: string;
  readonly #options: SpawnOptions;

  private constructor(
    readonly port: number,
    folder: string,
    options: SpawnOptions,
  ) {
    this.#folder = folder;
    this.#options = options;
  }

  static async start(): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'postgres-'));
    const owner = unprivileged();
    if (owner.uid !== undefined) chownSync(folder, owner.uid, owner.gid as number);
    const options: SpawnOptions = { stdio: 'ignore', cwd: folder, ...owner };
    const server = new PostgresServer(await freePort(), folder, options);
    try {
      const initdb = join(findProgramFolder() as string, 'initdb');
      const settings = ['-U', 'test', '-A', 'trust', '-E', 'UTF8', '--no-sync'];
      execFileSync(initdb, ['-D', join(folder, 'data'), ...settings], { ...options, timeout: START_MS });
      await server.run();
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
    return `postgres://test@127.0.0.1:${this.port}/postgres`;
  }

  /** A pool that ignores errors of idle connections. The caller ends it. */
  pool(options: pg.PoolConfig = {}): pg.Pool {
    const pool = new pg.Pool({ connectionString: this.url, ...options });
    pool.on('error', () => undefined);
    return pool;
  }

  /** The URL of a new, empty schema: it serves as well as a new database, and is created much faster. */
  async newSchema(): Promise<string> {
    const name = `test_${Math.random().toString(36).slice(2)}`;
    const pool = this.pool({ max: 1 });
    await pool.query(`CREATE SCHEMA ${name}`);
    await pool.end();
    return `${this.url}?options=${encodeURIComponent(`-c search_path=${name}`)}`;
  }

  /** The URL of a new, empty database, whose settings can be changed. */
  async newDatabase(): Promise<string> {
    const name = `test_${Math.random().toString(36).slice(2)}`;
    const pool = this.pool({ max: 1 });
    await pool.query(`CREATE DATABASE ${name}`);
    await pool.end();
    return `postgres://test@127.0.0.1:${this.port}/${name}`;
  }

  async run(...settings: string[]): Promise<void> {
    const bin = findProgramFolder() as string;
    const args = [
      '-D',
      join(this.#folder, 'data'),
      '-p',
      String(this.port),
      '-h',
      '127.0.0.1',
      '-k',
      this.#folder,
    ];
    this.#server = spawn(
      join(bin, 'postgres'),
      [...args, ...settings.flatMap((it) => ['-c', it])],
      this.#options,
    );
    killOnInterrupt(this.#server);
    const until = performance.now() + START_MS;
    while (this.#isRunning && performance.now() < until) {
      const client = new pg.Client({ connectionString: this.url, connectionTimeoutMillis: 5_000 });
      client.on('error', () => undefined);
      const isUp = await client.connect().then(
        () => true,
        () => false,
      );
      await client.end().catch(() => undefined);
      if (isUp) return;
      await sleep(50);
    }
    throw new Error('PostgreSQL did not start');
  }

  /** SIGINT is its fast shutdown, SIGQUIT its crash. */
  async halt(signal: 'SIGINT' | 'SIGQUIT' = 'SIGINT'): Promise<void> {
    const server = this.#server;
    if (!server || !this.#isRunning) return;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill(signal);
    await ended;
  }

  async stop(): Promise<void> {
    await this.halt('SIGQUIT');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
