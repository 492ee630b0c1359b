import fc from 'fast-check';
import { MODHEX_ALPHABET } from '../../src/otp/modhex.js';

const modhexLetter = fc.constantFrom(...MODHEX_ALPHABET);

export const modhex = (minLength: number, maxLength = minLength) =>
  fc.string({ unit: modhexLetter, minLength, maxLength });

export const publicId = modhex(0, 16);
export const otpText = modhex(32, 48);
export const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

export const counters = fc.record({
  usageCounter: fc.integer({ min: 0, max: 0x7fff }),
  sessionUse: fc.integer({ min: 0, max: 0xff }),
  timestamp: fc.integer({ min: 0, max: 0xff_ffff }),
});

/** Any text: any UTF-16, any script, and near misses of what the decoders accept. */
export const anyText = fc.oneof(
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
  fc.string({ unit: 'binary', maxLength: 600 }),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.constantFrom(...MODHEX_ALPHABET, 'C', 'x', ' ', '\n', '\0', 'é', '=', '/') }),
  modhex(0, 60),
);

/** Values that are not strings, but might be mistaken for one. */
export const NOT_STRINGS: readonly [string, unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['a number', 1234567890123456],
  ['a boolean', true],
  ['an array of one string', ['vvccccccccbdefghijklnrtuvcbdefghijklnrtuvcbd']],
  ['an object with toString', { toString: () => 'vvccccccccbdefghijklnrtuvcbdefghijklnrtuvcbd' }],
  ['a String object', Object('vvccccccccbdefghijklnrtuvcbdefghijklnrtuvcbd')],
  ['a symbol', Symbol('vvccccccccbdefghijklnrtuvcbdefghijklnrtuvcbd')],
  ['a Buffer', Buffer.from('vvccccccccbdefghijklnrtuvcbdefghijklnrtuvcbd')],
];
