import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { YubikeyError } from '../../src/errors.js';
import { assertOtp, isPublicId, type Otp, parseOtp } from '../../src/otp/otp.js';
import { anyText, modhex, NOT_STRINGS, otpText, publicId } from '../support/arbitraries.js';
import { measureCpuTime } from '../support/cpu-time.js';

const TOKEN = 'cbdefghijklnrtuvvutrnlkjihgfedbc';
const OTP = `vvcccccccccc${TOKEN}`;
const MALFORMED = { name: 'YubikeyError', code: 'OTP_MALFORMED', status: 400 };

function catchRefusal(input: unknown): YubikeyError {
  try {
    parseOtp(input as string);
  } catch (error) {
    expect(error).toBeInstanceOf(YubikeyError);
    expect(error).toMatchObject(MALFORMED);
    return error as YubikeyError;
  }
  throw new Error('The input was not refused');
}

describe('parseOtp', () => {
  it('splits any public ID of 0 to 16 letters from the token', () => {
    fc.assert(
      fc.property(publicId, modhex(32), (publicId, token) => {
        expect(parseOtp(publicId + token)).toEqual({ value: publicId + token, publicId, token });
      }),
    );
  });

  it('returns an OTP that cannot be changed', () => {
    const otp = parseOtp(OTP) as { publicId: string };
    expect(() => {
      otp.publicId = 'vvccccccccccb';
    }).toThrow(TypeError);
  });

  it.each([
    ['surrounding blanks', (otp: string) => `  ${otp} `],
    ['the Enter of the key', (otp: string) => `${otp}\r\n`],
    ['the Tab of the key', (otp: string) => `${otp}\t`],
    ['a no-break space pasted with it', (otp: string) => `\u00a0${otp}`],
    ['a byte-order mark', (otp: string) => `\ufeff${otp}`],
    ['capitals', (otp: string) => otp.toUpperCase()],
    ['some capitals', (otp: string) => otp.slice(0, 9).toUpperCase() + otp.slice(9)],
    ['the NFC URL', (otp: string) => `https://my.yubico.com/yk/#${otp}`],
    ['the NFC URL of older keys', (otp: string) => `https://my.yubico.com/neo/${otp}`],
    ['an NFC URL in capitals', (otp: string) => `https://my.yubico.com/yk/#${otp}`.toUpperCase()],
    ['an NFC URL with a line break', (otp: string) => `https://my.yubico.com/yk/#${otp}\n`],
    ['your own prefix that ends in /', (otp: string) => `https://login.example/otp/${otp}`],
    ['your own prefix that ends in #', (otp: string) => `example-app://sign-in#${otp}`],
    ['your own prefix that ends in =', (otp: string) => `https://login.example/?a=1&otp=${otp}`],
  ])('accepts %s', (_, write) => {
    fc.assert(
      fc.property(otpText, (otp) => {
        expect(parseOtp(write(otp)).value).toBe(otp);
      }),
    );
  });

  it('accepts 32 to 48 letters, and no other length', () => {
    const lengths = Array.from({ length: 64 }, (_, length) => length);
    const taken = lengths.filter((length) => {
      try {
        return parseOtp('c'.repeat(length)).value.length === length;
      } catch {
        return false;
      }
    });
    expect(taken).toEqual(Array.from({ length: 17 }, (_, more) => 32 + more));
    expect(catchRefusal('c'.repeat(31)).message).toContain('31 characters');
    expect(catchRefusal('c'.repeat(49)).message).toContain('49 characters');
  });

  it.each(NOT_STRINGS)('refuses %s', (_, input) => {
    catchRefusal(input);
  });

  it.each([
    ['nothing', ''],
    ['only white space', ' \t\r\n'],
    ['a line break inside', `${OTP.slice(0, 20)}\n${OTP.slice(20)}`],
    ['NUL inside', `${OTP.slice(0, 20)}\0${OTP.slice(20)}`],
    ['NUL at the end', `${OTP}\0`],
    ['a blank inside', `${OTP.slice(0, 20)} ${OTP.slice(20)}`],
    ['two OTPs', `${OTP}\n${OTP}`],
    ['a second parameter', `${OTP}&status=OK`],
    ['a line that looks like an answer', `${OTP}\r\nstatus=OK`],
    ['a letter of another alphabet', `${OTP.slice(0, -1)}с`],
    ['full-width letters', OTP.replace(/./g, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0))],
    ['a lone surrogate', `${OTP.slice(0, -1)}\ud800`],
    ['letters of two keyboard layouts', `${'л'.repeat(22)}${'λ'.repeat(22)}`],
    ['a URL without an OTP', 'https://my.yubico.com/yk/#'],
    ['a URL with something after the OTP', `https://my.yubico.com/yk/#${OTP}?x`],
    ['a URL with an OTP in another keyboard layout', `https://my.yubico.com/yk/#${'л'.repeat(44)}`],
    ['a URL longer than an NFC tag', `https://my.yubico.com/${'yk/'.repeat(200)}${OTP}`],
    ['a password', 'correct horse battery staple'],
    ['an SQL injection', `${OTP.slice(0, 30)}' OR '1'='1`],
  ])('refuses %s', (_, input) => {
    catchRefusal(input);
  });

  it.each([
    ['letters', 'c'.repeat(1 << 20)],
    ['blanks', ' '.repeat(1 << 20)],
    ['a URL', `https://${'/'.repeat(1 << 20)}`],
  ])('refuses a megabyte of %s quickly', (_, input) => {
    const milliseconds = measureCpuTime(() => {
      for (let n = 0; n < 100; n++) catchRefusal(input);
    });
    expect(milliseconds).toBeLessThan(500);
  });

  it('accepts or refuses any text, and never fails otherwise', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        let otp: Otp;
        try {
          otp = parseOtp(text);
        } catch (error) {
          expect(error).toMatchObject(MALFORMED);
          return;
        }
        assertOtp(otp);
        expect(otp.value).toMatch(/^[cbdefghijklnrtuv]{32,48}$/);
        expect(parseOtp(otp.value)).toEqual(otp);
      }),
      { numRuns: 2000 },
    );
  });

  it('never repeats the input in its message', () => {
    for (const input of ['hunter2hunter2', `${OTP}c{}`, `  ${OTP.slice(0, 31)}`, `${OTP}${OTP}`]) {
      const { message } = catchRefusal(input);
      for (let at = 0; at + 8 <= input.length; at++) expect(message).not.toContain(input.slice(at, at + 8));
    }
  });
});

describe('assertOtp', () => {
  const otp = parseOtp(OTP);

  it('accepts the result of parseOtp', () => {
    expect(() => assertOtp(otp)).not.toThrow();
    expect(() => assertOtp(parseOtp(TOKEN))).not.toThrow();
  });

  it.each([
    ['a string', OTP],
    ['undefined', undefined],
    ['null', null],
    ['an empty object', {}],
    ['parts that do not make the value', { ...otp, publicId: 'vvcccccccccb' }],
    ['another split of the same value', { ...otp, publicId: `${otp.publicId}c`, token: TOKEN.slice(1) }],
    ['a public ID moved into the token', { ...otp, publicId: '', token: OTP }],
    ['capitals', { value: OTP.toUpperCase(), publicId: 'VVCCCCCCCCCC', token: TOKEN.toUpperCase() }],
    ['a line break', { ...otp, value: `${OTP}\n`, token: `${TOKEN}\n` }],
    ['a line break in the public ID', { value: `\n${TOKEN}`, publicId: '\n', token: TOKEN }],
    ['a public ID of 17 letters', { value: 'c'.repeat(17) + TOKEN, publicId: 'c'.repeat(17), token: TOKEN }],
    ['a public ID in an array', { ...otp, publicId: [otp.publicId] }],
    ['an empty array for the empty public ID', { value: TOKEN, publicId: [], token: TOKEN }],
    ['a String object as the value', { ...otp, value: Object(OTP) }],
  ])('refuses %s', (_, handMade) => {
    expect(() => assertOtp(handMade as Otp)).toThrow(TypeError);
    expect(() => assertOtp(handMade as Otp)).not.toThrow(TOKEN);
  });
});

describe('isPublicId', () => {
  it('accepts 0 to 16 modhex letters', () => {
    expect(['', 'c', 'cbdefghijklnrtuv'].every(isPublicId)).toBe(true);
  });

  it('refuses any other value', () => {
    const others: unknown[] = ['c'.repeat(17), 'C', 'a', 'cc ', 'cc\n', undefined, null, 0, [], ['cc']];
    expect(others.some(isPublicId)).toBe(false);
  });
});
