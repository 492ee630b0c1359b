import { copyFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Machine } from './machine.js';

/** All that one copy of the package exports. */
export type Copy = typeof import('../../../src/index.js') &
  typeof import('../../../src/stores/index.js') &
  typeof import('../../../src/server/index.js') &
  typeof import('../../../src/testing/index.js');

const FIXTURE = fileURLToPath(new URL('fixtures/copies.cjs', import.meta.url));

export const COPIES = ['ESM', 'CommonJS', "another install's ESM", "another install's CommonJS"] as const;
export type CopyName = (typeof COPIES)[number];

/** Each copy with the next one, both ways. */
export const PAIRS = COPIES.flatMap((name, index): [CopyName, CopyName][] => {
  const next = COPIES[(index + 1) % COPIES.length] as CopyName;
  return [
    [name, next],
    [next, name],
  ];
});

/** Installs the package in a project of its own, and returns the path of a module of that project. */
export async function installCopy(machine: Machine): Promise<string> {
  const project = machine.newProject('copy');
  await machine.npm(project, ['install', 'passport-yubikey-otp']);
  copyFileSync(FIXTURE, join(project, 'copies.cjs'));
  return join(project, 'copies.cjs');
}

/** Loads the ESM and the CommonJS build of the package in two projects into this process. */
export async function loadCopies(machine: Machine): Promise<Record<CopyName, Copy>> {
  const [esm, cjs] = await loadBuilds(await installCopy(machine));
  const [otherEsm, otherCjs] = await loadBuilds(await installCopy(machine));
  return {
    ESM: esm,
    CommonJS: cjs,
    "another install's ESM": otherEsm,
    "another install's CommonJS": otherCjs,
  };
}

/** The module must load them itself: what a test imports is loaded by Vitest. */
function loadBuilds(path: string): Promise<[Copy, Copy]> {
  return createRequire(path)(path).loadBuilds();
}
