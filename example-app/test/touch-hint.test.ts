import { expect, test } from 'vitest';
import { touchHint } from '../src/touch-hint.js';

test.each([
  ['one letter', 'c'],
  ['all but the last letters', 'c'.repeat(31)],
])('%s: only part of it arrived', (_what, typed) => {
  expect(touchHint(typed)).toContain('Only part of it arrived');
});

test.each([
  ['typed with a Dvorak layout', 'jxe.uidchtnbpygk'.repeat(3).slice(0, 44)],
  ['digits', '0'.repeat(44)],
])('%s: another keyboard layout', (_what, typed) => {
  expect(touchHint(typed)).toContain('Your keyboard layout may differ');
});

test.each([
  ['nothing', undefined],
  ['an empty field', ''],
  ['an OTP', 'cbdefghijklnrtuv'.repeat(3).slice(0, 44)],
  ['an OTP typed with caps lock on', 'CBDEFGHIJKLNRTUV'.repeat(3).slice(0, 44)],
  ['the URL that a key sends by NFC', `https://my.yubico.com/yk/#${'c'.repeat(44)}`],
  ['an array', ['c']],
])('%s: no hint', (_what, typed) => {
  expect(touchHint(typed)).toBeUndefined();
});
