import { expect, test } from 'vitest';
import { touchHint } from '../src/touch-hint.js';

test.each([
  ['one letter', 'c'],
  ['all but the last letters', 'c'.repeat(31)],
])('%s: only a part arrived', (_what, typed) => {
  expect(touchHint(typed)).toContain('Only a part of it arrived');
});

test.each([
  ['through a Dvorak layout', 'jxe.uidchtnbpygk'.repeat(3).slice(0, 44)],
  ['digits', '0'.repeat(44)],
])('%s: another keyboard layout', (_what, typed) => {
  expect(touchHint(typed)).toContain('another layout');
});

test.each([
  ['nothing', undefined],
  ['an empty field', ''],
  ['what a key types', 'cbdefghijklnrtuv'.repeat(3).slice(0, 44)],
  ['the same with caps lock on', 'CBDEFGHIJKLNRTUV'.repeat(3).slice(0, 44)],
  ['the address that a key sends by NFC', `https://my.yubico.com/yk/#${'c'.repeat(44)}`],
  ['an array', ['c']],
])('%s: nothing to add', (_what, typed) => {
  expect(touchHint(typed)).toBeUndefined();
});
