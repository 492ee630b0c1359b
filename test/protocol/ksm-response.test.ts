import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decryptToken } from '../../src/otp/token.js';
import {
  formatKsmResponse,
  KSM_ERRORS,
  type KsmResponse,
  parseKsmResponse,
} from '../../src/protocol/ksm-response.js';
import { MalformedResponse } from '../../src/protocol/validation-response.js';
import { anyText, counters } from '../support/arbitraries.js';
import { genuineOtps } from '../support/vectors.js';

/** The answer of yubikey-ksm for an OTP of the vectors. */
const REFERENCE_OTP = 'idkfefrdhtrutjduvtcjbfeuvhehdvjjlbchtlenfgku';
const REFERENCE = 'OK counter=0001 low=8d40 high=0f use=00';

const errorText = fc
  .string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) })
  .filter((text) => text !== '' && text === text.trim());
const answer: fc.Arbitrary<KsmResponse> = fc.oneof(
  fc.record({ ok: fc.constant(true as const), counters, capsLock: fc.boolean() }),
  fc.record({ ok: fc.constant(false as const), error: errorText }),
);

describe('formatKsmResponse', () => {
  it('writes the same bytes as the reference server', () => {
    const vector = genuineOtps.find(({ otp }) => otp === REFERENCE_OTP);
    const token = decryptToken(REFERENCE_OTP.slice(-32), Buffer.from(vector?.aesKey as string, 'hex'));
    const { counters, capsLock } = token as NonNullable<typeof token>;
    expect(formatKsmResponse({ ok: true, counters, capsLock })).toBe(`${REFERENCE}\n`);
  });

  it('puts the caps-lock bit into the counter', () => {
    const counters = { usageCounter: 0x7fff, sessionUse: 0xff, timestamp: 0xff_ffff };
    const expected = 'OK counter=ffff low=ffff high=ff use=ff\n';
    expect(formatKsmResponse({ ok: true, counters, capsLock: true })).toBe(expected);
  });

  it('writes an error as one line', () => {
    const error = KSM_ERRORS.unknownKey;
    expect(formatKsmResponse({ ok: false, error })).toBe('ERR Unknown yubikey\n');
  });

  it.each(['', ' ', 'a\nOK counter=0001', 'a\r', 'a\0', 'caf\u00e9', 'a'.repeat(201)])(
    'refuses to write the error %j',
    (error) => {
      expect(() => formatKsmResponse({ ok: false, error })).toThrow(TypeError);
    },
  );

  it.each([
    { usageCounter: 0x8000, sessionUse: 0, timestamp: 0 },
    { usageCounter: 0x1_0000, sessionUse: 0, timestamp: 0 },
    { usageCounter: 1, sessionUse: 0x100, timestamp: 0 },
    { usageCounter: 1, sessionUse: 0, timestamp: 0x100_0000 },
    { usageCounter: 1, sessionUse: -1, timestamp: 0 },
    { usageCounter: 1, sessionUse: 0.5, timestamp: 0 },
    { usageCounter: 1, sessionUse: Number.NaN, timestamp: 0 },
  ])('refuses to write counters out of their range: %j', (counters) => {
    expect(() => formatKsmResponse({ ok: true, counters, capsLock: false })).toThrow(RangeError);
  });
});

describe('parseKsmResponse', () => {
  it('reads a formatted answer', () => {
    fc.assert(
      fc.property(answer, (answer) => {
        expect(parseKsmResponse(formatKsmResponse(answer))).toEqual(answer);
      }),
    );
  });

  it.each(['\n', '\r\n', ''])('accepts the line break %j', (end) => {
    const counters = { usageCounter: 1, sessionUse: 0, timestamp: 0xf_8d40 };
    expect(parseKsmResponse(REFERENCE + end)).toEqual({ ok: true, counters, capsLock: false });
    expect(parseKsmResponse(`ERR Key not found${end}`)).toEqual({ ok: false, error: KSM_ERRORS.keyNotFound });
  });

  it.each([
    ['nothing', ''],
    ['a line break', '\n'],
    ['only OK', 'OK\n'],
    ['only ERR', 'ERR\n'],
    ['ERR and a blank', 'ERR \n'],
    ['a truncated answer', REFERENCE.slice(0, -1)],
    ['a number that is too long', REFERENCE.replace('0001', '10001')],
    ['a number that is too short', REFERENCE.replace('0001', '001')],
    ['a sign', REFERENCE.replace('0001', '-001')],
    ['capitals', REFERENCE.replace('8d40', '8D40')],
    ['a decimal point', REFERENCE.replace('0001', '00.1')],
    ['fields in another order', 'OK low=8d40 counter=0001 high=0f use=00\n'],
    ['a repeated field', `${REFERENCE} use=01\n`],
    ['a missing field', 'OK counter=0001 low=8d40 high=0f\n'],
    ['two blanks', REFERENCE.replace('OK ', 'OK  ')],
    ['a blank at the end', `${REFERENCE} \n`],
    ['a blank before', ` ${REFERENCE}\n`],
    ['two line breaks', `${REFERENCE}\n\n`],
    ['two answers', `ERR Corrupt OTP\n${REFERENCE}\n`],
    ['an answer after an answer', `${REFERENCE}\nERR Corrupt OTP\n`],
    ['NUL', `${REFERENCE}\0`],
    ['a byte-order mark', `\ufeff${REFERENCE}`],
    ['an error with a control character', 'ERR Corrupt\tOTP\n'],
    ['an error beyond ASCII', 'ERR caf\u00e9\n'],
    ['an error that is too long', `ERR ${'x'.repeat(201)}\n`],
    ['lower case', REFERENCE.toLowerCase()],
    ['HTML', '<!doctype html>\n<title>502 Bad Gateway</title>'],
    ['JSON', '{"status":"OK","counter":1}'],
    ['an answer of the validation protocol', 'status=OK\r\n'],
  ])('refuses %s', (_, text) => {
    expect(() => parseKsmResponse(text)).toThrow(MalformedResponse);
  });

  it('reads any text as an answer or throws MalformedResponse, without repeating the text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        try {
          expect(formatKsmResponse(parseKsmResponse(text)).trimEnd()).toBe(text.trimEnd());
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedResponse);
          expect((error as Error).message).toBe('The answer does not follow the KSM protocol');
        }
      }),
    );
  });
});
