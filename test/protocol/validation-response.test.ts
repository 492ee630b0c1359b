import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSignedWith, type MessageParameters } from '../../src/protocol/signature.js';
import { STATUSES, type Status } from '../../src/protocol/status.js';
import {
  formatValidationResponse,
  MAX_RESPONSE_LENGTH,
  MalformedResponse,
  parseResponseParameters,
  readValidationResponse,
  type ValidationResponse,
} from '../../src/protocol/validation-response.js';
import { anyText, bytes, counters, otpText } from '../support/arbitraries.js';
import { measureCpuTime } from '../support/cpu-time.js';

const OTP = 'vvcccccccccccbdefghijklnrtuvvutrnlkjihgfedbc';
const NONCE = 'jrFwbaYFhn0HoxZIsd9LQ6w2ceU';
const AT = new Date('2026-11-21T23:21:39.649Z');
const API_KEY = Buffer.alloc(20, 1);

const statuses = Object.keys(STATUSES) as Status[];

const read = (text: string) => readValidationResponse(parseResponseParameters(text));
const lines = (...lines: string[]) => lines.map((line) => `${line}\r\n`).join('');

const plainText = fc.string({ unit: 'grapheme' }).filter((text) => !/[&\p{Cc}\p{Zl}\p{Zp}]/u.test(text));
const response: fc.Arbitrary<ValidationResponse> = fc.record({
  status: fc.constantFrom(...statuses),
  otp: fc.option(otpText, { nil: undefined }),
  nonce: fc.option(plainText, { nil: undefined }),
  sl: fc.option(fc.integer({ min: 0, max: 100 }), { nil: undefined }),
  counters: fc.option(counters, { nil: undefined }),
  info: fc.option(plainText, { nil: undefined }),
});

describe('formatValidationResponse', () => {
  it('writes the same bytes as the reference server', () => {
    const counters = { usageCounter: 19, sessionUse: 17, timestamp: 49712 };
    const text = formatValidationResponse(
      { status: 'OK', otp: OTP, nonce: NONCE, sl: 100, counters },
      AT,
      API_KEY,
    );
    const [signature, ...rest] = text.split('\r\n');
    expect(signature).toMatch(/^h=[A-Za-z0-9+/]{27}=$/);
    expect(rest).toEqual([
      't=2026-11-21T23:21:39Z0649',
      `otp=${OTP}`,
      `nonce=${NONCE}`,
      'sl=100',
      'timestamp=49712',
      'sessioncounter=19',
      'sessionuse=17',
      'status=OK',
      '',
      '',
    ]);
  });

  it('has only h, t and status if there is nothing to echo', () => {
    expect(formatValidationResponse({ status: 'BAD_OTP' }, AT)).toMatch(
      /^h=[^\r\n]+\r\nt=2026-11-21T23:21:39Z0649\r\nstatus=BAD_OTP\r\n\r\n$/,
    );
  });

  it('signs with the empty key without an API key', () => {
    const parameters = parseResponseParameters(formatValidationResponse({ status: 'NO_SUCH_CLIENT' }, AT));
    expect(isSignedWith(parameters, new Uint8Array())).toBe(true);
    expect(isSignedWith(parameters, API_KEY)).toBe(false);
  });

  it('is read as it was written, with a signature that covers all of it', () => {
    const at = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z') });
    fc.assert(
      fc.property(response, at, bytes(20), (response, at, apiKey) => {
        const parameters = parseResponseParameters(formatValidationResponse(response, at, apiKey));
        expect(isSignedWith(parameters, apiKey)).toBe(true);
        expect(readValidationResponse(parameters)).toEqual(response);
      }),
    );
  });

  it.each(['\n', '\r', '\r\nstatus=OK', '\0', '&status=OK', '\u0085', '\u2028'])(
    'refuses to write a value with %j',
    (text) => {
      for (const key of ['otp', 'nonce', 'info'] as const) {
        expect(() => formatValidationResponse({ status: 'OK', [key]: `a${text}` }, AT)).toThrow(TypeError);
      }
    },
  );
});

describe('formatValidationResponse', () => {
  const counters = { usageCounter: 1, sessionUse: 1, timestamp: 1 };

  it.each([
    ['an unknown status', { status: 'MAYBE' }],
    ['a status with a line break', { status: 'OK\r\nstatus=OK' }],
    ['a sync level over 100', { sl: 101 }],
    ['a sync level as text', { sl: '100\r\nstatus=OK' }],
    ['a usage counter with the caps-lock bit', { counters: { ...counters, usageCounter: 0x8001 } }],
    ['a session use out of range', { counters: { ...counters, sessionUse: 0x100 } }],
    ['a timestamp as text', { counters: { ...counters, timestamp: '1\r\nstatus=OK' } }],
  ])('refuses to write %s', (_, changes) => {
    const response = { status: 'OK', ...changes } as unknown as ValidationResponse;
    expect(() => formatValidationResponse(response, AT)).toThrow(/ must be /);
  });
});

describe('parseResponseParameters', () => {
  it('accepts CRLF and LF, any order, and any number of empty lines at the end', () => {
    const expected = new Map([
      ['status', 'OK'],
      ['h', 'abc='],
    ]);
    for (const text of [
      'status=OK\r\nh=abc=\r\n\r\n',
      'status=OK\nh=abc=\n',
      'status=OK\nh=abc=',
      'status=OK\r\nh=abc=\n\n\n',
    ]) {
      expect(parseResponseParameters(text)).toEqual(expected);
    }
  });

  it('keeps values unchanged: base64 padding, blanks, unknown keys', () => {
    const parameters = parseResponseParameters(
      lines('h=YQ==', 'name= J. Doe ', 'x=', 'y=a=b=c', 'status=OK'),
    );
    expect([...parameters.values()]).toEqual(['YQ==', ' J. Doe ', '', 'a=b=c', 'OK']);
  });

  it.each([
    ['nothing', ''],
    ['only line breaks', '\r\n\r\n'],
    ['a line without =', lines('status=OK', 'hello')],
    ['a line without a key', lines('=x', 'status=OK')],
    ['an empty line before the last', lines('status=OK', '', 'otp=x')],
    ['a repeated key', lines('status=BAD_OTP', 'status=OK')],
    ['a repeated key with the same value', lines('status=OK', 'status=OK')],
    ['a repeated h', lines('h=a', 'status=OK', 'h=b')],
    ['a blank before the key', lines(' status=OK')],
    ['a blank after the key', lines('status =OK')],
    ['& in a value', lines('nonce=a&status=OK')],
    ['& in a key', lines('a&status=OK')],
    ['NUL', lines('status=OK\0')],
    ['a Tab', lines('status=OK\t')],
    ['a carriage return inside', lines('nonce=a\rstatus=OK')],
    ['NEL', lines('nonce=a\u0085status=OK')],
    ['a line separator', lines('nonce=a\u2028status=OK')],
    ['a byte-order mark', `\ufeff${lines('status=OK')}`],
    ['HTML', '<!doctype html>\n<title>502 Bad Gateway</title>'],
    ['HTML with attributes', '<html lang="en">\n<body class="error">'],
    ['JSON', '{"status":"OK"}'],
    ['over 8 KiB', lines('status=OK', `x=${'y'.repeat(MAX_RESPONSE_LENGTH)}`)],
  ])('refuses %s', (_, text) => {
    expect(() => parseResponseParameters(text)).toThrow(MalformedResponse);
  });

  it('accepts 8 KiB, and refuses one byte more', () => {
    const text = `x=${'y'.repeat(MAX_RESPONSE_LENGTH - 2)}`;
    expect(parseResponseParameters(text).size).toBe(1);
    expect(() => parseResponseParameters(`${text}y`)).toThrow(MalformedResponse);
  });

  it('is quick with text that was made to keep it busy', () => {
    const milliseconds = measureCpuTime(() => {
      for (const text of ['\n'.repeat(8000), '\r\n'.repeat(4000), 'a'.repeat(8000), 'a=\n'.repeat(2500)]) {
        for (let n = 0; n < 10; n++) {
          expect(() => parseResponseParameters(`${text}!`)).toThrow(MalformedResponse);
        }
      }
    });
    expect(milliseconds).toBeLessThan(500);
  });
});

describe('readValidationResponse', () => {
  it('finds a status only on a line of its own', () => {
    expect(read(lines('info=status=OK', 'status=BAD_OTP')).status).toBe('BAD_OTP');
    expect(() => read(lines('info=status=OK'))).toThrow(MalformedResponse);
    expect(() => read(lines('Status=OK'))).toThrow(MalformedResponse);
    expect(() => read(lines('xstatus=OK'))).toThrow(MalformedResponse);
  });

  it.each(['', 'ok', 'OK ', 'OKAY', 'UNKNOWN', 'OK,BAD_OTP', 'constructor'])(
    'refuses the status %j',
    (status) => {
      expect(() => read(lines(`status=${status}`))).toThrow(MalformedResponse);
    },
  );

  it('reads every status', () => {
    expect(statuses.map((status) => read(lines(`status=${status}`)).status)).toEqual(statuses);
  });

  it('masks the caps-lock bit of sessioncounter', () => {
    const { counters } = read(lines('status=OK', 'timestamp=7', 'sessioncounter=32769', 'sessionuse=2'));
    expect(counters).toEqual({ usageCounter: 1, sessionUse: 2, timestamp: 7 });
  });

  it('has counters only if all three are there', () => {
    expect(read(lines('status=OK', 'timestamp=7', 'sessionuse=2')).counters).toBeUndefined();
    expect(
      read(lines('status=OK', 'timestamp=7', 'sessioncounter=', 'sessionuse=2')).counters,
    ).toBeUndefined();
  });

  it.each([
    'sl=101',
    'sl=-1',
    'sl=+1',
    'sl=1e1',
    'sl=0x10',
    'sl=1.5',
    'sl= 1',
    'sl=NaN',
    'sl=٣',
    'timestamp=16777216',
    'sessioncounter=65536',
    'sessionuse=256',
    'sessionuse=99999999999999999999',
  ])('refuses %s', (line) => {
    expect(() => read(lines('status=OK', line))).toThrow(MalformedResponse);
  });

  it('reads the answers of other servers: LF, another time, more keys, no sl, a blank h', () => {
    const text = `name=J. Doe\nt=2026-11-21T23:21:39+01:00\nh= \notp=${OTP}\nnonce=${NONCE}\nstatus=OK`;
    expect(read(text)).toEqual({ status: 'OK', otp: OTP, nonce: NONCE });
  });

  it('accepts or refuses any text, and never fails otherwise', () => {
    const line = fc
      .tuple(fc.constantFrom('h', 't', 'otp', 'nonce', 'sl', 'status', 'timestamp', 'info'), anyText)
      .map(([key, value]) => `${key}=${value}`);
    const answer = fc.array(fc.oneof(line, anyText)).map((parts) => parts.join('\r\n'));
    fc.assert(
      fc.property(fc.oneof(anyText, answer), fc.constantFrom('', '\nstatus=OK'), (text, end) => {
        let parameters: MessageParameters;
        try {
          parameters = parseResponseParameters(text + end);
          readValidationResponse(parameters);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedResponse);
          return;
        }
        const written = [...parameters].map(([key, value]) => `${key}=${value}`).join('\n');
        expect(parseResponseParameters(written)).toEqual(parameters);
      }),
      { numRuns: 2000 },
    );
  });
});
