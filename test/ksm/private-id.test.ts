import { describe, expect, it } from 'vitest';
import { parsePrivateId } from '../../src/index.js';
import { NOT_STRINGS } from '../support/arbitraries.js';

describe('parsePrivateId', () => {
  it.each(['0123456789ab', '0123456789AB'])('reads %s', (text) => {
    expect(parsePrivateId(text)).toEqual(Buffer.of(0x01, 0x23, 0x45, 0x67, 0x89, 0xab));
  });

  it.each([
    '',
    '0123456789a',
    '0123456789abc',
    '0123456789abcd',
    '0123456789ag',
    ' 0123456789ab',
    '0123456789ab\n',
  ])('refuses %j, without repeating it', (text) => {
    expect(() => parsePrivateId(text)).toThrow(/^A private ID is 6 bytes, as 12 hexadecimal digits$/);
  });

  it.each(NOT_STRINGS)('refuses %s', (_, value) => {
    expect(() => parsePrivateId(value as string)).toThrow(TypeError);
  });
});
