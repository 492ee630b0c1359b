import type { ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { describe, it } from 'vitest';

/** The path of a program that is on the `PATH`. */
export function findProgram(name: string): string | undefined {
  const folders = process.env.PATH?.split(delimiter) ?? [];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Tests that need programs of the system. If one is missing, they are skipped with a reason in their name. In CI,
 * which installs all of them, they fail instead.
 */
export function describeWith(name: string, programs: readonly string[], body: () => void): void {
  const missing = programs.filter((program) => !findProgram(program));
  const reason = `${name} (needs ${missing.join(', ')})`;
  if (missing.length === 0) {
    describe(name, body);
  } else if (process.env.CI) {
    it(reason, () => {
      throw new Error(`CI must install ${missing.join(', ')}`);
    });
  } else {
    it.skip(reason, () => undefined);
  }
}

const running = new Set<ChildProcess>();

/** Kills a program when the test run is interrupted: no hook ends it then. */
export function killOnInterrupt(child: ChildProcess): void {
  if (running.size === 0) process.once('exit', killAll);
  running.add(child);
  child.once('exit', () => {
    running.delete(child);
    if (running.size === 0) process.off('exit', killAll);
  });
}

/** SIGQUIT ends PostgreSQL together with its own processes, and Redis too. */
function killAll(): void {
  for (const child of running) child.kill('SIGQUIT');
}

/** A port of 127.0.0.1 that was free a moment ago, outside the range for outgoing connections. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
