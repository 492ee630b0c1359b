import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { percentiles } from './latency.js';
import { API_KEY, CLIENT_ID } from './servers.js';

const source = fileURLToPath(new URL('../peers/libykclient.c', import.meta.url));

/** Yubico's C client, as a small program compiled against the library. */
export class Libykclient {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Returns undefined if the library is not installed. */
  static compile(): Libykclient | undefined {
    const folder = mkdtempSync(join(tmpdir(), 'bench-libykclient-'));
    const client = new Libykclient(folder);
    if (spawnSync('cc', ['-O2', '-o', client.#program, source, '-lykclient']).status === 0) return client;
    client.remove();
    return undefined;
  }

  /** Verifies OTPs one after another. The first one, which opens the connections, does not count. */
  async measure(otps: readonly string[], servers: readonly string[]) {
    const child = spawn(this.#program, [CLIENT_ID, API_KEY, ...servers]);
    const output = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
    child.stdin.end(`${otps.join('\n')}\n`);
    const [milliseconds, errors] = await output;
    const taken = milliseconds.trim().split('\n').map(Number);
    if (errors !== '' || taken.length !== otps.length) throw new Error(`libykclient failed: ${errors}`);
    return percentiles(taken.slice(1));
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  get #program(): string {
    return join(this.#folder, 'libykclient');
  }
}
