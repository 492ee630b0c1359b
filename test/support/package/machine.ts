import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../programs.js';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** The only programs on the PATH, apart from Node and what npm installs. */
const PROGRAMS = ['npm', 'npx', 'sh', 'tee', 'xargs'];

/** Time limit of each program, in milliseconds, so that a test can report the output of a program that hangs. */
const TIMEOUT_MS = 150_000;

const PROJECT = '{ "private": true }';

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd: string;
  /** A folder of installed programs, added to the PATH. */
  bin?: string | undefined;
  env?: Record<string, string> | undefined;
  /** The standard input. */
  input?: string | undefined;
}

/** A machine with Node, on which nothing but the registry is configured. */
export class Machine {
  readonly #folder = mkdtempSync(join(tmpdir(), 'machine-'));
  readonly #programs = join(this.#folder, 'programs');

  constructor(registry: string) {
    mkdirSync(this.#programs);
    // Keeps npm from searching for a package in the folders above.
    writeFileSync(join(this.#folder, 'package.json'), PROJECT);
    symlinkSync(process.execPath, join(this.#programs, 'node'));
    for (const name of PROGRAMS) {
      symlinkSync(findProgram(name) as string, join(this.#programs, name));
    }
    const token = `${registry.replace('http:', '')}:_authToken=anybody`;
    const settings = ['engine-strict=true', 'audit=false', 'fund=false', 'update-notifier=false'];
    writeFileSync(join(this.#folder, '.npmrc'), [`registry=${registry}`, token, ...settings].join('\n'));
  }

  /** Creates an empty folder. */
  newFolder(name: string): string {
    return mkdtempSync(join(this.#folder, `${name}-`));
  }

  /** Creates a folder with a package that has no dependencies yet. */
  newProject(name: string): string {
    const folder = this.newFolder(name);
    writeFileSync(join(folder, 'package.json'), PROJECT);
    return folder;
  }

  start(
    program: string,
    args: readonly string[],
    { cwd, bin, env }: RunOptions,
  ): ChildProcessWithoutNullStreams {
    const PATH = [...(bin ? [bin] : []), this.#programs].join(':');
    // A shell, to look up the program in the PATH of the child.
    return spawn(join(this.#programs, 'sh'), ['-c', 'exec "$@"', 'sh', program, ...args], {
      cwd,
      env: { HOME: this.#folder, PATH, ...env },
      timeout: TIMEOUT_MS,
    });
  }

  async run(program: string, args: readonly string[], options: RunOptions): Promise<Ended> {
    const child = this.start(program, args, options);
    const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
    // The program may end without reading its input.
    child.stdin.on('error', () => undefined).end(options.input ?? '');
    const [code] = await once(child, 'close');
    return { code, stdout: await stdout, stderr: await stderr };
  }

  /** Runs npm. Throws with its output if it fails. */
  async npm(cwd: string, args: readonly string[]): Promise<Ended> {
    const ended = await this.run('npm', args, { cwd });
    if (ended.code !== 0) {
      const how = ended.code ?? `nothing, stopped after ${TIMEOUT_MS / 1000} seconds or by a signal`;
      throw new Error(`npm ${args.join(' ')} ended with ${how}:\n${ended.stdout}${ended.stderr}`);
    }
    return ended;
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
