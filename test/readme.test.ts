import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

it('the snippets of the README compile against the package', () => {
  const [cloud, secondFactor, ...alone] = snippetsOf('README.md') as [string, string, ...string[]];
  expect(alone).toHaveLength(2);
  const folder = mkdtempSync(join(ROOT, 'test', '.readme-'));
  try {
    writeFileSync(join(folder, 'one-and-two.mjs'), APPLICATION + cloud + secondFactor);
    alone.forEach((code, at) => {
      writeFileSync(join(folder, `alone-${at}.mjs`), code);
    });
    const options =
      '--checkJs --allowJs --noEmit --strict --module nodenext --target es2023 --skipLibCheck --types node';
    const files = readdirSync(folder).map((name) => join(folder, name));
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
