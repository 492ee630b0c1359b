import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseOtp } from '../../src/otp/otp.js';
import { parseApiKey } from '../../src/protocol/api-key.js';
import type { ProtocolVersion } from '../../src/protocol/paths.js';
import { isSignedWith } from '../../src/protocol/signature.js';
import {
  formatValidationRequest,
  isClientId,
  isNonce,
  isSyncLevel,
  MalformedRequest,
  parseRequestParameters,
  readValidationRequest,
  type ValidationRequest,
} from '../../src/protocol/validation-request.js';
import { anyText, bytes, NOT_STRINGS, otpText } from '../support/arbitraries.js';
import { signatureVector } from '../support/vectors.js';

const OTP = 'vvcccccccccccbdefghijklnrtuvvutrnlkjihgfedbc';
const NONCE = 'jrFwbaYFhn0HoxZIsd9LQ6w2ceU';
const letterOrDigit = fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789');
const digits = (maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength });

const parts = {
  id: digits(20),
  otp: otpText.map(parseOtp),
  nonce: fc.string({ unit: letterOrDigit, minLength: 16, maxLength: 40 }),
  timestamp: fc.constantFrom(true as const, undefined),
  sl: fc.option(fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constantFrom('fast' as const, 'secure')), {
    nil: undefined,
  }),
  timeout: fc.option(fc.integer({ min: 0, max: 9999 }), { nil: undefined }),
};
const REQUESTS: Record<ProtocolVersion, fc.Arbitrary<ValidationRequest>> = {
  '1.0': fc.record({ id: parts.id, otp: parts.otp }),
  '1.1': fc.record({ id: parts.id, otp: parts.otp, timestamp: parts.timestamp }),
  '2.0': fc.record(parts) as fc.Arbitrary<ValidationRequest>,
};

function catchFault(query: string, version: ProtocolVersion = '2.0'): MalformedRequest {
  try {
    readValidationRequest(parseRequestParameters(query), version);
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedRequest);
    return error as MalformedRequest;
  }
  throw new Error('The request was not refused');
}

const query = (changes: Record<string, string> = {}) =>
  new URLSearchParams({ id: '1', otp: OTP, nonce: NONCE, ...changes }).toString();

describe('a validation request', () => {
  it.each(Object.keys(REQUESTS) as ProtocolVersion[])(
    'of protocol %s is read as it was written',
    (version) => {
      fc.assert(
        fc.property(REQUESTS[version], bytes(20), (request, apiKey) => {
          const parameters = parseRequestParameters(formatValidationRequest(request, apiKey));
          expect(isSignedWith(parameters, apiKey)).toBe(true);
          expect(readValidationRequest(parameters, version)).toEqual(request);
        }),
      );
    },
  );

  it('has the published signature, with +, / and = percent-encoded', () => {
    const { params, secret, h } = signatureVector('request');
    const { id, otp, nonce } = params as { id: string; otp: string; nonce: string };
    const text = formatValidationRequest({ id, otp: parseOtp(otp), nonce }, parseApiKey(secret));
    expect(text).toBe(`id=1&otp=${params.otp}&nonce=${params.nonce}&h=${encodeURIComponent(h)}`);
    expect(text).toMatch(/h=%2B[^&+]+%3D$/);
  });

  it('has no h without an API key', () => {
    const request = { id: '1', otp: parseOtp(OTP), nonce: NONCE } as const;
    expect(formatValidationRequest({ ...request, timestamp: true, sl: 'secure', timeout: 8 })).toBe(
      `id=1&otp=${OTP}&nonce=${NONCE}&timestamp=1&sl=secure&timeout=8`,
    );
  });

  it.each([
    ['an OTP that parseOtp did not return', { otp: { value: `${OTP}&nonce=` } }],
    ['an OTP as text', { otp: OTP }],
    ['an id that is not a number', { id: '1&nonce=x' }],
    ['a nonce that is not one', { nonce: 'short' }],
    ['a nonce with a parameter in it', { nonce: `${NONCE}&sl=0` }],
    ['a sync level as text', { sl: '50' }],
    ['a sync level over 100', { sl: 101 }],
    ['a timeout that is not a whole number', { timeout: 0.5 }],
    ['a negative timeout', { timeout: -1 }],
    ['an endless timeout', { timeout: Number.POSITIVE_INFINITY }],
  ])('is not written with %s', (_, changes) => {
    const request = { id: '1', otp: parseOtp(OTP), nonce: NONCE, ...changes } as ValidationRequest;
    expect(() => formatValidationRequest(request, Buffer.alloc(20))).toThrow(TypeError);
    expect(() => formatValidationRequest(request)).not.toThrow(OTP);
  });

  it('has no valid signature if its + was not percent-encoded', () => {
    const { params, secret, h } = signatureVector('request');
    const signed = new URLSearchParams(params);
    const received = parseRequestParameters(`${signed}&h=${h}`);
    expect(h).toContain('+');
    expect(isSignedWith(received, parseApiKey(secret))).toBe(false);
  });

  it('has a signature that covers unknown parameters as received', () => {
    const { params, secret, h } = signatureVector('request');
    const received = parseRequestParameters(`${new URLSearchParams({ ...params, h })}&_=123`);
    expect(isSignedWith(received, parseApiKey(secret))).toBe(false);
    expect(readValidationRequest(received, '2.0').otp.value).toBe(params.otp);
  });

  it('has a normalised OTP: capitals, white space, US Dvorak', () => {
    const onDvorak = 'kkjjjjjjjjjjjxe.uidchtnbpygkkgypbnthcdiu.exj';
    for (const otp of [OTP.toUpperCase(), `  ${OTP} `, onDvorak]) {
      expect(readValidationRequest(parseRequestParameters(query({ otp })), '2.0').otp.value).toBe(OTP);
    }
  });
});

describe('parseRequestParameters', () => {
  it.each([
    ['a repeated parameter', `${query()}&otp=${OTP}`, 'otp'],
    ['a repeated unknown parameter', `${query()}&x=1&x=1`, 'x'],
    ['a repeated h', `h=a&${query()}&h=b`, 'h'],
    ['a line break', `${query()}&x=a%0d%0astatus=OK`, 'x'],
    ['a line break in the OTP', query({ otp: `${OTP}\nstatus=OK` }), 'otp'],
    ['a line break in the nonce', query({ nonce: `${NONCE}\r\nstatus=OK` }), 'nonce'],
    ['NUL', query({ id: '1\0' }), 'id'],
    ['a line separator', query({ x: '\u2028' }), 'x'],
    ['DEL', query({ x: '\u007f' }), 'x'],
  ])('refuses %s', (_, text, parameter) => {
    expect(() => parseRequestParameters(text)).toThrow(MalformedRequest);
    expect(catchFault(text)).toMatchObject({ parameter, status: 'MISSING_PARAMETER' });
  });

  it('does not name a parameter whose name is not safe in an answer or a log', () => {
    for (const name of ['a\nstatus=OK', 'a&b', 'a\u2028', '<script>', 'x'.repeat(65)]) {
      const twice = `${encodeURIComponent(name)}=1&${encodeURIComponent(name)}=1`;
      const fault = catchFault(twice);
      expect(fault.parameter).toMatch(/^[\w.-]{1,64}$/);
      expect(fault.message).not.toContain(name);
    }
  });

  it('keeps any other text unchanged', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const wellFormed = Buffer.from(text).toString();
        fc.pre(!/[\p{Cc}\u2028\u2029]/u.test(wellFormed));
        expect(parseRequestParameters(`v=${encodeURIComponent(wellFormed)}`).get('v')).toBe(wellFormed);
      }),
    );
  });

  it('reads a query as URLSearchParams does', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '&',
        '=',
        '?',
        '+',
        '%',
        'id',
        'otp',
        'h',
        ' ',
        'é',
        '%C3%A9',
        '%e9',
        '%EF%BB%BF',
        '%00',
      ),
      fc.integer({ min: 0x20, max: 0x7f }).map((code) => `%${code.toString(16)}`),
      fc.integer({ min: 0x20, max: 0x7f }).map((code) => `%${code.toString(16).toUpperCase()}`),
      fc.string({ unit: 'binary-ascii', maxLength: 4 }),
      anyText,
    );
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const query = pieces.join('');
        const pairs = [...new URLSearchParams(query)];
        const isRepeated = new Map(pairs).size < pairs.length;
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
        const isRefused = isRepeated || /[\u0000-\u001f\u007f\u2028\u2029]/.test(pairs.flat().join(''));
        if (isRefused) expect(() => parseRequestParameters(query)).toThrow(MalformedRequest);
        else expect([...parseRequestParameters(query)]).toEqual(pairs);
      }),
      { numRuns: 2000 },
    );
  });

  it('reads a query of any length, because a form that a parser has read may be long', () => {
    const long = 'b'.repeat(10_000_000);
    expect(parseRequestParameters(`id=1&otp=${long}`).get('otp')).toBe(long);
  });

  it('accepts or refuses any query, and never fails otherwise', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        for (const query of [text, `id=1&otp=${OTP}&nonce=${NONCE}&${text}`]) {
          try {
            readValidationRequest(parseRequestParameters(query), '2.0');
          } catch (error) {
            expect(error).toBeInstanceOf(MalformedRequest);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('readValidationRequest', () => {
  it.each(['id', 'otp', 'nonce'])('names %s if it is missing, empty or blank', (parameter) => {
    const missing = new URLSearchParams(query());
    missing.delete(parameter);
    for (const text of [`${missing}`, query({ [parameter]: '' }), query({ [parameter]: ' ' })]) {
      expect(catchFault(text).parameter).toBe(parameter);
    }
  });

  it.each([
    ['id', 'not a number', 'one'],
    ['id', 'negative', '-1'],
    ['id', 'hexadecimal', '0x1'],
    ['id', 'with a line break, blank or quote', "1'"],
    ['id', 'too long', '1'.repeat(21)],
    ['nonce', 'too short', 'a'.repeat(15)],
    ['nonce', 'too long', 'a'.repeat(41)],
    ['nonce', 'very long', 'a'.repeat(100_000)],
    ['nonce', 'not letters and digits', `${'a'.repeat(16)}-`],
    ['nonce', 'not ASCII', 'é'.repeat(16)],
    ['sl', 'over 100', '101'],
    ['sl', 'negative', '-1'],
    ['sl', 'a fraction', '0.5'],
    ['sl', 'an unknown word', 'slow'],
    ['timeout', 'not a number', 'never'],
    ['timeout', 'negative', '-1'],
    ['timeout', 'far too long', '99999'],
  ])('names %s if it is %s', (parameter, _, value) => {
    expect(catchFault(query({ [parameter]: value }))).toMatchObject({
      parameter,
      status: 'MISSING_PARAMETER',
    });
  });

  it.each([
    ['too short', 'c'.repeat(31)],
    ['too long', 'c'.repeat(49)],
    ['very long', 'c'.repeat(100_000)],
    ['not an OTP', 'hunter2'],
  ])('returns BAD_OTP for an OTP that is %s, without repeating it', (_, otp) => {
    const fault = catchFault(query({ otp }));
    expect(fault).toMatchObject({ parameter: 'otp', status: 'BAD_OTP' });
    expect(fault.message).not.toContain(otp);
  });

  it('checks in the order of the reference server', () => {
    const all = { nonce: '-', sl: '-', timeout: '-', otp: '-', id: '-' };
    expect(catchFault('').parameter).toBe('nonce');
    expect(catchFault(query(all)).parameter).toBe('sl');
    expect(catchFault(query({ ...all, sl: '' })).parameter).toBe('timeout');
    expect(catchFault(query({ ...all, sl: '', timeout: '' })).parameter).toBe('otp');
    expect(catchFault(query({ nonce: '-', id: '-' })).parameter).toBe('id');
    expect(catchFault(query({ nonce: '-' })).parameter).toBe('nonce');
  });

  it('ignores the parameters of 2.0 in 1.x', () => {
    const parameters = parseRequestParameters(query({ nonce: '-', sl: '-', timeout: '-', timestamp: '1' }));
    expect(readValidationRequest(parameters, '1.0')).toEqual({ id: '1', otp: parseOtp(OTP) });
    expect(readValidationRequest(parameters, '1.1')).toEqual({
      id: '1',
      otp: parseOtp(OTP),
      timestamp: true,
    });
  });

  it('requests counters only for timestamp=1', () => {
    for (const timestamp of ['0', '', 'true', '11']) {
      expect(
        readValidationRequest(parseRequestParameters(query({ timestamp })), '2.0').timestamp,
      ).toBeUndefined();
    }
  });
});

describe('isNonce, isClientId, isSyncLevel', () => {
  it.each(NOT_STRINGS)('refuse %s', (_, value) => {
    expect(isNonce(value)).toBe(false);
    expect(isNonce([NONCE])).toBe(false);
    expect(isClientId(value)).toBe(false);
    expect(isClientId(['1'])).toBe(false);
  });

  it('accept a sync level only as a number, not as text', () => {
    expect([0, 100, 'fast', 'secure'].every(isSyncLevel)).toBe(true);
    expect([-1, 101, 0.5, Number.NaN, '50', 'slow', null, undefined].some(isSyncLevel)).toBe(false);
  });
});
