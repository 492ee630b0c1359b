import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'docs', 'testing.md'), 'utf8');
const [, CODE = ''] = /^```js\n(\/\/ contracts.test.js\n.*?)^```$/ms.exec(PAGE) ?? [];
const VITEST = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');

const folder = mkdtempSync(join(tmpdir(), 'contracts-'));
// There, the package is this checkout.
symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
afterAll(() => rmSync(folder, { recursive: true }));

function run(code: string, ...args: string[]) {
  writeFileSync(join(folder, 'contracts.test.js'), code);
  const { NODE_OPTIONS: _, VITEST: _inside, ...env } = process.env;
  return spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', env });
}

it('the contracts pass by node:test, as printed in docs/testing.md', () => {
  const { stdout, status } = run(CODE, '--test', '--test-reporter', 'tap');
  expect(status, stdout).toBe(0);
  expect(stdout).toMatch(/^# pass 1\d\d$/m);
  expect(stdout).toMatch(/^# fail 0$/m);
});

it('the contracts pass by Vitest, with one line changed', () => {
  const { stdout, stderr, status } = run(
    CODE.replace("'node:test'", "'vitest'"),
    VITEST,
    ...['run', '--root', folder, '--reporter', 'json'],
  );
  expect(status, stdout + stderr).toBe(0);
  const { numPassedTests, numTotalTests } = JSON.parse(stdout.slice(stdout.indexOf('{"num')));
  expect(numPassedTests).toBe(numTotalTests);
  expect(numPassedTests).toBeGreaterThan(100);
});
