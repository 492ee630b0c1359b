import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatApiKey, parseApiKey } from '../../src/protocol/api-key.js';
import { anyText, NOT_STRINGS } from '../support/arbitraries.js';

describe('parseApiKey', () => {
  it('reads base64 with its padding, of any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), (key) => {
        expect(parseApiKey(Buffer.from(key).toString('base64'))).toEqual(Buffer.from(key));
        expect(formatApiKey(key)).toBe(Buffer.from(key).toString('base64'));
      }),
    );
  });

  it.each([
    ['nothing', ''],
    ['only padding', '===='],
    ['no padding', 'mG5be6ZJU1qBGz24yPh/ESM3UdU'],
    ['surrounding blanks', ' mG5be6ZJU1qBGz24yPh/ESM3UdU='],
    ['a line break', 'mG5be6ZJU1qBGz24yPh/ESM3UdU=\n'],
    ['base64url', 'mG5be6ZJU1qBGz24yPh_ESM3UdU='],
    ['stray bits after the last byte', 'mG5be6ZJU1qBGz24yPh/ESM3UdV='],
    ['other characters', 'mG5be6ZJU1qBGz24yPh*ESM3UdU='],
    ['a URL-encoded key', 'mG5be6ZJU1qBGz24yPh%2FESM3UdU%3D'],
  ])('refuses %s', (_, text) => {
    expect(() => parseApiKey(text)).toThrow(TypeError);
  });

  it.each(NOT_STRINGS)('refuses %s', (_, value) => {
    expect(() => parseApiKey(value as string)).toThrow(/^apiKey must be/);
  });

  it('has one spelling, and does not repeat a refused key in its message', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        let key: Buffer;
        try {
          key = parseApiKey(text);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
          if (text.length > 7) expect((error as Error).message).not.toContain(text);
          return;
        }
        expect(key.toString('base64')).toBe(text);
      }),
    );
  });
});
