import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../../test/support/programs.js';

const FOLDER = fileURLToPath(new URL('../..', import.meta.url));

/** The app in its own process, on a free port. */
export class Instance {
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#process = child;
  }

  static async start(environment: NodeJS.ProcessEnv): Promise<Instance> {
    const { PATH, HOME } = process.env;
    const port = await freePort();
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts'], {
      cwd: FOLDER,
      env: { PATH, HOME, HOST: '127.0.0.1', PORT: String(port), ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.resume();
    await new Promise<void>((resolve, reject) => {
      let output = '';
      child.stderr.on('data', (text) => {
        output += text;
        if (output.includes('Example app: http')) resolve();
      });
      child.once('exit', () => reject(new Error(`The app did not start: ${output}`)));
    });
    return new Instance(port, child);
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill(signal);
    await ended;
  }
}
