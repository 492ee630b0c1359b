import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Copy } from '../support/tooling/copy.js';

type Issue = { readonly file: string } & Record<string, readonly { readonly name: string }[]>;

/** Runs knip as `npm run check` does. */
function findUnused({ folder }: Copy): Promise<string[]> {
  const command = join(folder, 'node_modules/.bin/knip');
  return new Promise((resolve, reject) => {
    execFile(command, ['--reporter', 'json'], { cwd: folder }, (error, stdout, stderr) => {
      if (!stdout.startsWith('{')) return reject(new Error(stdout + stderr, { cause: error }));
      const { issues } = JSON.parse(stdout) as { issues: Issue[] };
      resolve(
        issues.flatMap(({ file, ...kinds }) =>
          Object.entries(kinds).flatMap(([kind, found]) =>
            found.map(({ name }) => `${kind} ${file}: ${name}`),
          ),
        ),
      );
    });
  });
}

function addDependency(copy: Copy, path: string, kind: 'dependencies' | 'devDependencies'): void {
  const manifest = JSON.parse(readFileSync(join(copy.folder, path), 'utf8'));
  manifest[kind]['planted-package'] = '1.0.0';
  copy.write(path, JSON.stringify(manifest));
}

it('knip finds unused exports, types, files and dependencies in each package, and nothing else', async () => {
  const copy = new Copy();
  const modules = {
    'src/otp/modhex.ts': 'src/otp/planted.ts',
    'test/support/programs.ts': 'test/support/planted.ts',
    'bench/report.ts': 'bench/planted.ts',
    'cli/src/terminal/output.ts': 'cli/src/terminal/planted.ts',
    'example-app/src/next-page.ts': 'example-app/src/planted.ts',
  };
  for (const [path, planted] of Object.entries(modules)) {
    copy.append(path, 'export const planted = 1;\nexport type Planted = 1;\n');
    copy.write(planted, 'export const planted = 1;\n');
  }
  addDependency(copy, 'package.json', 'dependencies');
  addDependency(copy, 'package.json', 'devDependencies');
  addDependency(copy, 'cli/package.json', 'dependencies');
  addDependency(copy, 'example-app/package.json', 'dependencies');
  expect((await findUnused(copy)).sort()).toEqual(
    [
      ...Object.entries(modules).flatMap(([path, planted]) => [
        `exports ${path}: planted`,
        `types ${path}: Planted`,
        `files ${planted}: ${planted}`,
      ]),
      'dependencies package.json: planted-package',
      'devDependencies package.json: planted-package',
      'dependencies cli/package.json: planted-package',
      'dependencies example-app/package.json: planted-package',
    ].sort(),
  );
});
