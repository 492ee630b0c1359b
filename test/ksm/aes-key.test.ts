import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAesKey } from '../../src/ksm/aes-key.js';
import { anyText, bytes, NOT_STRINGS } from '../support/arbitraries.js';

const HEX = '31323334353637383930313233343536';
const KEY = Buffer.from('1234567890123456');

describe('parseAesKey', () => {
  it.each([
    ['hexadecimal digits', HEX],
    ['base64, as the KSM reference server prints it', 'MTIzNDU2Nzg5MDEyMzQ1Ng=='],
    ['base64url without padding, as the KSM reference server prints it', 'MTIzNDU2Nzg5MDEyMzQ1Ng'],
  ])('reads %s', (_, text) => {
    expect(parseAesKey(text)).toEqual(KEY);
  });

  it('reads the same key from each of its spellings', () => {
    fc.assert(
      fc.property(bytes(16), (key) => {
        const bytes = Buffer.from(key);
        const [hex, base64, base64url] = (['hex', 'base64', 'base64url'] as const).map((encoding) =>
          bytes.toString(encoding),
        ) as [string, string, string];
        for (const text of [
          hex,
          hex.toUpperCase(),
          base64,
          base64.slice(0, -2),
          base64url,
          `${base64url}==`,
        ]) {
          expect(parseAesKey(text)).toEqual(bytes);
        }
      }),
    );
  });

  it('reads 32 hexadecimal digits as hexadecimal, not as base64 of 24 bytes', () => {
    expect(parseAesKey('0'.repeat(32))).toEqual(Buffer.alloc(16));
  });

  it.each([
    ['nothing', ''],
    ['hexadecimal digits of 15 bytes', HEX.slice(2)],
    ['hexadecimal digits of 24 bytes, an AES-192 key', `${HEX}${HEX.slice(16)}`],
    ['an odd number of hexadecimal digits', `${HEX}3`],
    ['hexadecimal digits with blanks', HEX.replace(/(..)/g, '$1 ').trim()],
    ['hexadecimal digits with 0x', `0x${HEX}`],
    ['base64 of 15 bytes', Buffer.alloc(15).toString('base64')],
    ['base64 of 17 bytes', Buffer.alloc(17).toString('base64')],
    ['base64 of 24 bytes', Buffer.alloc(24, 255).toString('base64')],
    ['half the padding', 'MTIzNDU2Nzg5MDEyMzQ1Ng='],
    ['too much padding', 'MTIzNDU2Nzg5MDEyMzQ1Ng==='],
    ['padding in front', '==MTIzNDU2Nzg5MDEyMzQ1Ng'],
    ['stray bits after the last byte', 'MTIzNDU2Nzg5MDEyMzQ1Nh=='],
    ['the letters of base64 and base64url mixed', '+_8AAAAAAAAAAAAAAAAAAA=='],
    ['a line break', 'MTIzNDU2Nzg5MDEyMzQ1Ng==\n'],
    ['a blank inside', 'MTIzNDU2Nzg5 MDEyMzQ1Ng=='],
    ['modhex', 'cbdefghijklnrtuvcbdefghijklnrtuv'],
    ['a passphrase of 16 characters', '1234567890123456'],
  ])('refuses %s', (_, text) => {
    expect(() => parseAesKey(text)).toThrow(TypeError);
  });

  it.each([...NOT_STRINGS, ['a key in an array', [HEX]], ['the bytes themselves', KEY]])(
    'refuses %s',
    (_, value) => {
      expect(() => parseAesKey(value as string)).toThrow(/^An AES key is 16 bytes/);
    },
  );

  it('accepts or refuses any text, and does not repeat refused text', () => {
    const nearMiss = fc.string({ unit: fc.constantFrom(...'09afAFgz+/-_='), minLength: 20, maxLength: 34 });
    fc.assert(
      fc.property(fc.oneof(anyText, nearMiss), (text) => {
        try {
          expect(parseAesKey(text)).toHaveLength(16);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
          if (text.length > 8) expect((error as Error).message).not.toContain(text);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
