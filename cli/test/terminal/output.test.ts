import { expect, it } from 'vitest';
import { oneLine } from '../../src/terminal/output.js';

it('oneLine leaves no control character', () => {
  expect(oneLine(' a\r\n4711,vv\x1b[2Jb\t')).toBe('a 4711,vv [2Jb');
});
