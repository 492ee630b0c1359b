import { expect, it } from 'vitest';
import { quoteForShell } from '../../src/database/shell.js';

it.each([
  ['vvcccccccccb', 'vvcccccccccb'],
  ['./keys.db', './keys.db'],
  ['', "''"],
  ['my keys.db', "'my keys.db'"],
  ["it's", `'it'\\''s'`],
  ['$(id)', "'$(id)'"],
])('%j is quoted for a shell as %s', (word, quoted) => {
  expect(quoteForShell(word)).toBe(quoted);
});
