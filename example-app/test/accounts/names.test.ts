import { expect, test } from 'vitest';
import { readName } from '../../src/accounts/names.js';

test.each([
  ['Blue one', 'Blue one'],
  ['  at home ', 'at home'],
  ['x', 'x'],
  ['鍵'.repeat(40), '鍵'.repeat(40)],
  ['🔑'.repeat(40), '🔑'.repeat(40)],
])('%j is a name', (typed, name) => {
  expect(readName(typed)).toBe(name);
});

test.each([
  [''],
  ['   '],
  ['x'.repeat(41)],
  ['two\nlines'],
  ['bell\u0007'],
  ['\u202Eturned'],
  ['zero\u200Bwidth'],
  ['\uD800'],
  [undefined],
  [['a', 'b']],
  [{ a: 'b' }],
])('%j is not a name', (typed) => {
  expect(readName(typed)).toBeUndefined();
});
