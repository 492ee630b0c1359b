import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
const readme = read('README.md');
const isThere = (name: string) => existsSync(new URL(`../${name}`, import.meta.url));

const NAMED = [...readme.matchAll(/`((?:src|views|public)\/[\w./-]+|[\w-]+\.(?:json|yaml))`/g)];

test.each([...new Set(NAMED.map(([, name]) => name as string))])(
  '%s, which the README names, is there',
  (name) => {
    expect(isThere(name)).toBe(true);
  },
);

/** Each step of the walk-through, and each row of the table: names in it are looked for in the files in it. */
const STEPS = readme
  .slice(readme.indexOf('## A walk'))
  .split(/\n(?=\d+\. |\| |#)/)
  .map((step) => ({
    files: [...step.matchAll(/`(src\/[\w./-]+\.ts)`/g)].map(([, file]) => file as string),
    names: [...step.matchAll(/`([A-Za-z_]+)`/g)].map(([, name]) => name as string),
  }))
  .filter(({ files, names }) => files.length > 0 && names.length > 0);

describe('each step of the walk-through', () => {
  test('is read by this test', () => expect(STEPS.length).toBeGreaterThan(25));

  test.each(STEPS)('$files has $names', ({ files, names }) => {
    const sources = files.map(read).join('\n');
    for (const name of names) expect(sources).toMatch(new RegExp(`\\b${name}\\b`));
  });
});

const FILES = readdirSync(new URL('../src', import.meta.url), { recursive: true, encoding: 'utf8' });

test.each(FILES.filter((file) => file.endsWith('.ts')))('src/%s is on the walk', (file) => {
  expect(readme).toContain(`\`src/${file}\``);
});
