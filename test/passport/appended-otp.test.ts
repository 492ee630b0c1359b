import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { appendedOtp, parseOtp, splitAppendedOtp } from '../../src/index.js';
import { KEYBOARD_LAYOUTS } from '../../src/otp/keyboard.js';
import { MODHEX_ALPHABET } from '../../src/otp/modhex.js';
import { SoftYubikey } from '../../src/testing/index.js';

const modhex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...MODHEX_ALPHABET), minLength: length, maxLength: length });
const password = fc.string({ unit: 'binary', maxLength: 80 });
const enter = fc.constantFrom('', '\n', '\r\n', '\r', '\t', ' \n');

const passwordAndOtp = fc.integer({ min: 0, max: 16 }).chain((publicIdLength) =>
  fc.record({
    publicIdLength: fc.constant(publicIdLength),
    password,
    otp: modhex(publicIdLength + 32),
    enter,
  }),
);

describe('splitAppendedOtp', () => {
  it('returns any password and its OTP, with any length of the public ID', () => {
    fc.assert(
      fc.property(passwordAndOtp, ({ publicIdLength, password, otp, enter }) => {
        expect(splitAppendedOtp(password + otp + enter, { publicIdLength })).toEqual({ password, otp });
      }),
    );
  });

  it('does not split text that is too short for an OTP', () => {
    const short = fc.string({ unit: 'binary', maxLength: 43 });
    fc.assert(
      fc.property(short, (typed) => {
        expect(splitAppendedOtp(typed)).toEqual({ password: typed, otp: undefined });
      }),
    );
  });

  it('counts characters, not surrogates', () => {
    const typed = '🔑'.repeat(43);
    expect(splitAppendedOtp(typed)).toEqual({ password: typed, otp: undefined });
  });

  it.each([0, 12, 16])('splits a real OTP with a public ID of %i letters', (publicIdLength) => {
    const yubikey = new SoftYubikey({ publicId: 'c'.repeat(publicIdLength) });
    const otp = yubikey.press();
    const split = splitAppendedOtp(`hunter2${otp}`, { publicIdLength });
    expect(split).toEqual({ password: 'hunter2', otp });
    expect(parseOtp(split.otp ?? '').publicId).toBe(yubikey.publicId);
  });

  it.each(['naïve 密码 ', '👩‍👩‍👧', 'e\u0301', '\ud83d', ' leading and trailing '])(
    'keeps the password %j unchanged',
    (password) => {
      const otp = new SoftYubikey().press();
      expect(splitAppendedOtp(`${password}${otp}\n`)).toEqual({ password, otp });
    },
  );

  it.each(KEYBOARD_LAYOUTS)('splits an OTP typed on the layout $name', ({ name }) => {
    const yubikey = new SoftYubikey({ layout: name });
    const typed = yubikey.press();
    const { password, otp } = splitAppendedOtp(`passwörd${typed}\r\n`);
    expect(password).toBe('passwörd');
    expect(otp).toBe(typed);
  });

  it('splits an OTP typed with caps lock on', () => {
    const typed = new SoftYubikey().press({ capsLock: true });
    expect(splitAppendedOtp(`PASSWORD${typed}`)).toEqual({ password: 'PASSWORD', otp: typed });
  });

  it('returns an empty password if there is only an OTP', () => {
    const otp = new SoftYubikey().press();
    expect(splitAppendedOtp(otp)).toEqual({ password: '', otp });
  });
});

describe.each([-1, 17, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '12', null])(
  'a publicIdLength of %j',
  (publicIdLength) => {
    const options = { publicIdLength: publicIdLength as number };
    const error = new TypeError('publicIdLength must be a whole number from 0 to 16');

    it('is refused when the app starts', () => {
      expect(() => appendedOtp('password', options)).toThrow(error);
    });

    it('is refused by splitAppendedOtp', () => {
      expect(() => splitAppendedOtp('hunter2', options)).toThrow(error);
    });
  },
);
