import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
const readme = read('README.md');
const exists = (name: string) => existsSync(new URL(`../${name}`, import.meta.url));

const NAMED = [...readme.matchAll(/`((?:src|views|public)\/[\w./-]+|[\w-]+\.(?:json|yaml))`/g)];

test.each([...new Set(NAMED.map(([, name]) => name as string))])(
  '%s, which the README names, exists',
  (name) => {
    expect(exists(name)).toBe(true);
  },
);

/** Each step of the walk and each row of the table: the files it names must contain the identifiers it names. */
const STEPS = readme
  .slice(readme.indexOf('## A walk'))
  .split(/\n(?=\d+\. |\| |#)/)
  .map((step) => ({
    files: [...step.matchAll(/`(src\/[\w./-]+\.ts)`/g)].map(([, file]) => file as string),
    names: [...step.matchAll(/`([A-Za-z_]+)`/g)].map(([, name]) => name as string),
  }))
  .filter(({ files, names }) => files.length > 0 && names.length > 0);

describe('each step of the walk', () => {
  test('is found by this test', () => expect(STEPS.length).toBeGreaterThan(25));

  test.each(STEPS)('$files contains $names', ({ files, names }) => {
    const sources = files.map(read).join('\n');
    for (const name of names) expect(sources).toMatch(new RegExp(`\\b${name}\\b`));
  });
});

const FILES = readdirSync(new URL('../src', import.meta.url), { recursive: true, encoding: 'utf8' });

test.each(FILES.filter((file) => file.endsWith('.ts')))('src/%s is on the walk', (file) => {
  expect(readme).toContain(`\`src/${file}\``);
});
