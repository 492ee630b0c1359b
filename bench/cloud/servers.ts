import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { VALIDATION_PATHS } from 'passport-yubikey-otp/protocol';
import { freePort } from '../../test/support/programs.js';

export const CLIENT_ID = '87';
export const API_KEY = 'mG5be6ZJU1qBGz24yPh/ESM3UdU=';

const program = fileURLToPath(new URL('./server.ts', import.meta.url));

/** Five validation servers in separate processes, only one of which is usable. */
export class Servers {
  readonly fast: string;
  readonly #slow: string;
  readonly #hung: string;
  readonly #garbage: string;
  readonly #dead: string;
  readonly #processes: readonly ChildProcess[];

  private constructor(
    urls: Record<'fast' | 'slow' | 'hung' | 'garbage' | 'dead', string>,
    processes: readonly ChildProcess[],
  ) {
    this.fast = urls.fast;
    this.#slow = urls.slow;
    this.#hung = urls.hung;
    this.#garbage = urls.garbage;
    this.#dead = urls.dead;
    this.#processes = processes;
  }

  /** The fast server answers after this time, the slow one half a second later. */
  static async start(milliseconds = 0): Promise<Servers> {
    const started = await Promise.all([
      start('honest', milliseconds),
      start('honest', milliseconds + 500),
      start('hung'),
      start('garbage'),
    ]);
    const [fast, slow, hung, garbage] = started.map(({ port }) => verifyUrl(port)) as [
      string,
      string,
      string,
      string,
    ];
    const processes = started.map(({ child }) => child);
    return new Servers({ fast, slow, hung, garbage, dead: verifyUrl(await freePort()) }, processes);
  }

  /** All five, with the fast one in the middle. */
  get all(): string[] {
    return [this.#slow, this.#hung, this.fast, this.#garbage, this.#dead];
  }

  get withoutGarbage(): string[] {
    return [this.#slow, this.#hung, this.fast, this.#dead];
  }

  stop(): void {
    for (const child of this.#processes) child.disconnect();
  }
}

async function start(kind: string, milliseconds = 0): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(program, [kind, API_KEY, String(milliseconds)]);
  const [port] = (await once(child, 'message')) as [number];
  return { child, port };
}

function verifyUrl(port: number): string {
  return `http://127.0.0.1:${port}${VALIDATION_PATHS['2.0']}`;
}
