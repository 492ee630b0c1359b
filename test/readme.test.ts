import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What the snippets of the README take for granted: the application around them. */
const APPLICATION = `
import express from 'express';
const app = express();
const users = { findByYubikey: async (/** @type {string} */ publicId) => ({ id: publicId }) };
const showAccount = (/** @type {express.Request} */ _req, /** @type {express.Response} */ res) => res.end();
`;

function snippetsOf(file: string): string[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [...text.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code as string);
}

it('the snippets of the README compile against the package, each with those before it', () => {
  const [cloud, secondFactor, ownKeys, ...others] = snippetsOf('README.md') as [string, string, string];
  expect(others).toEqual([]);
  const folder = mkdtempSync(join(ROOT, 'test', '.readme-'));
  try {
    writeFileSync(join(folder, 'one-and-two.mjs'), APPLICATION + cloud + secondFactor);
    writeFileSync(join(folder, 'three.mjs'), ownKeys);
    const options =
      '--checkJs --allowJs --noEmit --strict --module nodenext --target es2023 --skipLibCheck --types node';
    const files = ['one-and-two.mjs', 'three.mjs'].map((name) => join(folder, name));
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    try {
      execFileSync(process.execPath, [tsc, '--ignoreConfig', ...options.split(' '), ...files], {
        encoding: 'utf8',
        cwd: folder,
      });
    } catch (error) {
      throw new Error((error as { stdout: string }).stdout);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);
