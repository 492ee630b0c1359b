import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import request from 'supertest';
import { freePort } from '../../programs.js';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const MODULES = join(ROOT, 'node_modules');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** A file printed in the README, with its heading. */
export interface Printed {
  heading: string;
  name: string;
  code: string;
}

/** Returns the JavaScript of the README. Each block is a complete file, named in its first line. */
export function printedFiles(): Printed[] {
  return [...README.matchAll(/^```js\n(.*?)^```$/gms)].map((block) => {
    const [, code = ''] = block;
    const headings = [...README.slice(0, block.index).matchAll(/^#+ (.*)$/gm)];
    return {
      heading: headings.at(-1)?.[1] ?? '',
      name: /^\/\/ (\S+\.mjs)\n/.exec(code)?.[1] ?? '',
      code,
    };
  });
}

/** Returns the packages that the README says to install. */
function installed(): string[] {
  const commands = [...README.slice(README.indexOf('## Set it up')).matchAll(/^npm install ([^#\n]*)/gm)];
  return commands.flatMap(([, names = '']) => names.trim().split(' '));
}

export type Browser = ReturnType<typeof request.agent>;

/** Follows the README in an empty folder. */
export class Reader {
  readonly folder = mkdtempSync(join(tmpdir(), 'reader-'));
  readonly #started: ChildProcess[] = [];

  constructor() {
    const modules = join(this.folder, 'node_modules');
    const own = join(modules, 'passport-yubikey-otp');
    mkdirSync(own, { recursive: true });
    const run = (program: string, ...args: string[]) =>
      execFileSync(program, args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', this.folder];
    const [{ filename }] = JSON.parse(run('npm', ...pack));
    run('tar', 'xzf', join(this.folder, filename), '--strip-components=1', '-C', own);
    const { dependencies } = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8'));
    for (const name of new Set([...installed(), ...Object.keys(dependencies)])) {
      if (name !== 'passport-yubikey-otp') this.link(name);
    }
  }

  /** Links a package installed in this repository into the reader's folder. */
  link(name: string): void {
    const path = join(this.folder, 'node_modules', name);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(join(MODULES, name), path);
  }

  /** Saves a file in a new folder, exactly as printed. */
  save(name: string, code: string): string {
    const folder = mkdtempSync(join(this.folder, 'saved-'));
    writeFileSync(join(folder, name), code);
    return folder;
  }

  /** Runs a program to its end, and resolves with its output. */
  async run(folder: string, args: string[], environment: NodeJS.ProcessEnv): Promise<string> {
    const child = this.#spawn(folder, args, environment);
    const chunks: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => chunks.push(chunk));
    await once(child, 'close');
    return Buffer.concat(chunks).toString();
  }

  async start(folder: string, environment: NodeJS.ProcessEnv): Promise<Started> {
    const port = await freePort();
    const child = this.#spawn(folder, ['app.mjs'], { PORT: String(port), ...environment });
    const app = new Started(child, `http://localhost:${port}`);
    await app.waitUntilUp();
    return app;
  }

  #spawn(folder: string, args: string[], environment: NodeJS.ProcessEnv): ChildProcess {
    const child = spawn(process.execPath, args, {
      cwd: folder,
      env: { PATH: process.env.PATH, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#started.push(child);
    return child;
  }

  leave(): void {
    for (const child of this.#started) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** An app of the README, in its own process. */
export class Started {
  /** The output so far. */
  output = '';

  readonly #child: ChildProcess;
  readonly #url: string;

  constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.#url = url;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text) => {
        this.output += text;
      });
    }
  }

  async waitUntilUp(): Promise<void> {
    for (;;) {
      if (this.#child.exitCode !== null) throw new Error(`The app ended: ${this.output}`);
      const response = await fetch(this.#url).catch(() => undefined);
      if (response) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  browser(): Browser {
    return request.agent(this.#url);
  }

  findPassword(name: string): string {
    return new RegExp(`^${name} has the password (\\w+)$`, 'm').exec(this.output)?.[1] ?? '';
  }

  /** Returns a browser after a sign-in by password. */
  async signIn(name: string): Promise<Browser> {
    const browser = this.browser();
    const response = await submit(browser, '/login', { username: name, password: this.findPassword(name) });
    if (response.status !== 302) throw new Error(`The password was answered with ${response.status}`);
    return browser;
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill();
    await ended;
  }
}

/** Submits the form with this action on the current page, which must have exactly these fields. */
export async function submit(browser: Browser, action: string, fields: Record<string, string>) {
  const { text } = await browser.get('/').expect(200);
  const form = new RegExp(`<form method="post" action="${action}">(.*?)</form>`, 's').exec(text)?.[1];
  if (form === undefined) throw new Error(`The page has no form with the action ${action}: ${text}`);
  const names = [...form.matchAll(/<input name="(\w+)"/g)].map(([, name]) => name);
  if (names.join() !== Object.keys(fields).join()) throw new Error(`The form has the fields ${names}`);
  return browser.post(action).type('form').send(fields);
}
