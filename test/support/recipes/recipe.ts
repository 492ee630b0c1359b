import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import request from 'supertest';
import { SoftYubikey } from '../../../src/testing/index.js';

const FIXTURES = fileURLToPath(new URL('./fixtures', import.meta.url));
/** A workspace of its own: the pages, and the packages that their apps use. */
const RECIPES = fileURLToPath(new URL('../../../docs/recipes', import.meta.url));
export const MANIFEST = join(RECIPES, 'package.json');
export const PAGES = readdirSync(RECIPES).flatMap((file) => /^(.*)\.md$/.exec(file)?.[1] ?? []);

/** A page beside the recipes, whose code a test runs, too. */
export const OBSERVABILITY = '../observability';

const readPage = (page: string) => readFileSync(join(RECIPES, `${page}.md`), 'utf8');

/** The packages that a page tells its reader to install. */
export function readPackages(page: string): string[] {
  const commands = readPage(page).matchAll(/^npm install ((?:\\\n|.)*)/gm);
  return Array.from(commands, ([, names]) => (names as string).match(/(?<!\S)[@a-z][\w/-]*/g) ?? []).flat();
}

/** The files that a page tells its reader to write, by name. */
export function readFiles(page: string): Map<string, string> {
  const blocks = readPage(page).matchAll(/^```[jt]s\n(\/\/ (\S+)\n.*?)^```$/gms);
  return new Map(Array.from(blocks, ([, code, name]) => [name as string, code as string]));
}

/** Writes a page's files into a new folder of the recipes' workspace, where their imports resolve. */
export function writeRecipe(page: string): string {
  const folder = mkdtempSync(join(RECIPES, '.app-'));
  cpSync(FIXTURES, folder, { recursive: true });
  for (const [name, code] of readFiles(page)) writeFileSync(join(folder, name), code);
  return folder;
}

/** Compiles to JavaScript with decorators and their metadata, like the build of an app. */
async function compile(typescript: string): Promise<string> {
  const { default: ts } = await import('typescript');
  const { outputText } = ts.transpileModule(typescript, {
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2023,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
    },
  });
  return outputText;
}

export type Browser = ReturnType<typeof request.agent>;

/** A page's app, running in its own process, and the virtual YubiKeys of its users. */
export class Recipe {
  readonly keys = {
    alice: new SoftYubikey(),
    bob: new SoftYubikey(),
    /** The verifier knows this key, but no user has it. */
    stray: new SoftYubikey(),
    /** The verifier fails for this key. */
    fault: new SoftYubikey(),
    /** The verifier does not know this key, and is slow to say so. */
    slow: new SoftYubikey(),
  };
  /** Everything that the app has printed. */
  output = '';
  readonly #page: string;
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #url = '';

  constructor(page: string) {
    this.#page = page;
    this.#folder = writeRecipe(page);
  }

  async start(): Promise<void> {
    const typescript = readFiles(this.#page).get('server.ts');
    if (typescript) writeFileSync(join(this.#folder, 'server.js'), await compile(typescript));
    const { alice, bob, stray, fault, slow } = this.keys;
    const child = spawn(process.execPath, ['--import', './preload.js', 'server.js'], {
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        PATH: process.env.PATH,
        PORT: '0',
        SESSION_SECRET: 'a long random text that nobody else knows',
        KEYS: JSON.stringify([alice, bob, stray].map(toHexSecrets)),
        OWNERS: JSON.stringify({ [alice.publicId]: 'alice', [bob.publicId]: 'bob' }),
        FAULT: fault.publicId,
        SLOW: slow.publicId,
      },
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text) => {
        this.output += text;
      });
    }
    const ended = once(child, 'exit').then(() => {
      throw new Error(`The recipe ended: ${this.output}`);
    });
    const [port] = await Promise.race([once(child, 'message'), ended]);
    this.#url = `http://localhost:${port}`;
  }

  async stop(): Promise<void> {
    if (this.#child?.exitCode === null) {
      this.#child.kill();
      await once(this.#child, 'exit');
    }
    rmSync(this.#folder, { recursive: true });
  }

  /** A browser that keeps the cookies it is given. */
  browser(): Browser {
    return request.agent(this.#url);
  }

  /** A client that sends these cookies, and keeps none. */
  withCookies(cookies: string) {
    return request.agent(this.#url).set('Cookie', cookies);
  }

  /** Moves the app's clock forward. */
  async later(milliseconds: number): Promise<void> {
    this.#child?.send(milliseconds);
    if (this.#child) await once(this.#child, 'message');
  }
}

/** The Cookie header that a browser sends. */
export function readCookies(browser: Browser): string {
  return browser.jar
    .getCookies({ domain: 'localhost', path: '/', secure: false, script: false })
    .toValueString();
}

/** A well-formed OTP of a key that the verifier does not know. */
export function pressUnknownKey(): string {
  return new SoftYubikey().press();
}

function toHexSecrets({ publicId, privateId, aesKey }: SoftYubikey) {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  return { publicId, privateId: hex(privateId), aesKey: hex(aesKey) };
}
