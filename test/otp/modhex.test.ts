import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeModhex, decodeModhexInto, encodeModhex, isModhex } from '../../src/otp/modhex.js';
import { anyText, modhex, NOT_STRINGS } from '../support/arbitraries.js';

describe('modhex', () => {
  it('stands for hexadecimal, letter by letter', () => {
    expect(encodeModhex(Buffer.from('0123456789abcdef', 'hex'))).toBe('cbdefghijklnrtuv');
    expect(decodeModhex('cbdefghijklnrtuv').toString('hex')).toBe('0123456789abcdef');
    expect(encodeModhex(new Uint8Array())).toBe('');
    expect(decodeModhex('')).toHaveLength(0);
  });

  it('decodes any encoded bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(decodeModhex(encodeModhex(bytes))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('encodes any decoded text of whole bytes', () => {
    fc.assert(
      fc.property(modhex(0, 30), modhex(0, 30), (one, other) => {
        const text = (one + other).slice(0, 2 * Math.floor((one + other).length / 2));
        expect(encodeModhex(decodeModhex(text))).toBe(text);
      }),
    );
  });

  it('has one spelling: any text either decodes and encodes to itself, or is a TypeError', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const isRefused = !isModhex(text) || text.length % 2 === 1;
        if (isRefused) expect(() => decodeModhex(text)).toThrow(TypeError);
        else expect(encodeModhex(decodeModhex(text))).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['an odd length', 'ccc'],
    ['capitals', 'CC'],
    ['hexadecimal', '0a'],
    ['a letter outside the alphabet', 'ca'],
    ['white space around', 'cc '],
    ['a line break', 'cc\n'],
    ['a letter that only looks like c', 'сс'],
    ['a character outside the basic plane', '𝒸'],
  ])('refuses %s', (_, text) => {
    expect(() => decodeModhex(text)).toThrow(TypeError);
  });

  it('decodes only into bytes of the matching length', () => {
    const bytes = Buffer.alloc(2);
    expect(decodeModhexInto(bytes, 'cbde')).toBe(bytes);
    expect(bytes).toEqual(Buffer.of(0x01, 0x23));
    for (const text of ['', 'cb', 'cbd', 'cbdef', 'cbdefg']) {
      expect(() => decodeModhexInto(bytes, text)).toThrow(TypeError);
    }
  });

  it('does not repeat the text in its message, because it may be half an OTP', () => {
    expect(() => decodeModhex('vvvvvvvvcccccccx')).not.toThrow('vvvvvvvv');
  });

  it('isModhex accepts only the lower-case alphabet, of any length', () => {
    expect(['', 'c', 'cbdefghijklnrtuv'].every(isModhex)).toBe(true);
    expect(['C', 'a', 'cc\n', '\ncc', ' ', 'cс'].some(isModhex)).toBe(false);
  });

  // The word `undefined` is modhex.
  it.each(NOT_STRINGS)('refuses %s', (_, value) => {
    expect(isModhex(value)).toBe(false);
    expect(isModhex(['cc'])).toBe(false);
    expect(() => decodeModhex(value as string)).toThrow(/^Expected modhex/);
  });

  it.each([...NOT_STRINGS.filter(([, value]) => !Buffer.isBuffer(value)), ['text', 'cc'] as const])(
    'encodeModhex refuses %s',
    (_, value) => {
      expect(() => encodeModhex(value as Uint8Array)).toThrow(TypeError);
    },
  );
});
