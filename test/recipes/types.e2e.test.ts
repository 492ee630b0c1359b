import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { MANIFEST, PAGES, readFiles, readPackages, writeRecipe } from '../support/recipes/recipe.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

// The pages in JavaScript do not declare the types of most parameters.
const OPTIONS = `--ignoreConfig --noEmit --strict --noImplicitAny false --allowJs --checkJs --module nodenext
  --target es2023 --skipLibCheck --types node --experimentalDecorators --emitDecoratorMetadata`;

/** An app's declarations: its users and, with Fastify, the properties it adds to a request. */
const APPLICATION = `
declare global {
  namespace Express { interface User { id: string } }
}
declare module 'fastify' {
  interface PassportUser { id: string }
  interface FastifyRequest { sessionID: string }
}
export {};
`;

it('the code of the recipes compiles against the package', () => {
  const folders = PAGES.map(writeRecipe);
  try {
    writeFileSync(join(folders[0] as string, 'application.d.ts'), APPLICATION);
    const files = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
    const { stdout } = spawnSync(process.execPath, [TSC, ...OPTIONS.split(/\s+/), ...files], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    expect(stdout).toBe('');
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true });
  }
}, 120_000);

it('each page is a complete app or a store, and the index shows the verifier', () => {
  expect(PAGES).toHaveLength(8);
  for (const page of PAGES) {
    const files = [...readFiles(page).keys()];
    const isApp = page !== 'README' && page !== 'own-store';
    expect(files, page).toContainEqual(
      isApp ? expect.stringMatching(/^server\.[jt]s$/) : page === 'README' ? 'verifier.js' : 'level-store.js',
    );
  }
});

it('the workspace of the recipes depends on what the pages install, and on nothing else', () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(MANIFEST, 'utf8'));
  expect(Object.keys({ ...dependencies, ...devDependencies }).sort()).toEqual(
    [...new Set(PAGES.flatMap(readPackages))].sort(),
  );
});
