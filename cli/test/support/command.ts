import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NewKey } from 'passport-yubikey-otp/stores';
import { expect, inject, onTestFinished } from 'vitest';

/** The command as npm installs it. Only for the e2e and long tests. */
export const MAIN = inject('command');

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** The text of standard input. */
  input?: string | undefined;
  env?: Record<string, string> | undefined;
  /** The working directory. */
  cwd?: string | undefined;
}

/** Starts the command as a shell does. */
export function start(args: readonly string[], { env = {}, cwd }: RunOptions = {}) {
  const { YUBIKEY_DB: _, YUBIKEY_MASTER_KEY: __, ...rest } = process.env;
  return spawn(process.execPath, [MAIN, ...args], { env: { ...rest, ...env }, cwd, stdio: 'pipe' });
}

/** Runs the command to its end. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = start(args, options);
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // A command that reads no input may end before this is written.
  child.stdin.on('error', () => undefined).end(options.input ?? '');
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  expect(stderr, 'no stack traces').not.toMatch(/^\s+at /m);
  return { code, stdout, stderr };
}

/** Makes a folder that is removed when the test has finished. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'yubikey-otp-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Makes a folder for `PATH` with shell scripts as programs. `yubikey-otp` in it is the command. */
export function programs(scripts: Readonly<Record<string, string>> = {}): string {
  const folder = temporaryFolder();
  const all = { 'yubikey-otp': `exec '${process.execPath}' '${MAIN}' "$@"`, ...scripts };
  for (const [name, script] of Object.entries(all)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  return folder;
}

/** Makes a file that is removed when the test has finished. */
export function temporaryFile(text: string): string {
  const path = join(temporaryFolder(), 'import.csv');
  writeFileSync(path, text);
  return path;
}

/** Runs the command on one database with one master key. */
export function commandOn(db: string, masterKey: string) {
  const command = (args: readonly string[], options: RunOptions = {}) =>
    run(args, { ...options, env: { YUBIKEY_DB: db, YUBIKEY_MASTER_KEY: masterKey, ...options.env } });
  return Object.assign(command, {
    db,
    masterKey,
    /** Runs the command with --json, and parses the result. */
    json: async (...args: string[]) => JSON.parse((await command([...args, '--json'])).stdout),
  });
}

export type CommandOn = ReturnType<typeof commandOn>;

export const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex');

/** Lists the secrets of a key in every spelling in which they could leak. */
export function listSpellings({ aesKey, privateId }: NewKey): string[] {
  const modhex = (text: string) =>
    text.replace(/./g, (digit) => 'cbdefghijklnrtuv'[Number.parseInt(digit, 16)] as string);
  return [aesKey, privateId].flatMap((secret) => {
    if (!secret) return [];
    const digits = hex(secret);
    return [digits, digits.toUpperCase(), modhex(digits), Buffer.from(secret).toString('base64')];
  });
}

/** Fails if the output contains a secret of the keys. */
export function expectNoSecrets(ended: Ended, ...keys: NewKey[]): void {
  const printed = ended.stdout + ended.stderr;
  for (const secret of keys.flatMap(listSpellings)) expect(printed.includes(secret)).toBe(false);
}
