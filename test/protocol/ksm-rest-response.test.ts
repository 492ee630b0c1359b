import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatKsmRestResponse,
  KSM_REST_ERRORS,
  type KsmRestError,
  parseKsmRestResponse,
} from '../../src/protocol/ksm-rest-response.js';
import { MalformedResponse } from '../../src/protocol/validation-response.js';
import { anyText, counters, modhex } from '../support/arbitraries.js';

/** The answer in the documentation of the REST reference server. */
const REFERENCE = {
  status: 'OK',
  key_id: 'cccccccccccc',
  counter: 26,
  timestamp_low: 35599,
  timestamp_high: 15,
  session_use: 3,
  decrypted_at: '2024-01-15T10:30:45Z',
};
const ERROR = { status: 'ERROR', error_code: 'KEY_NOT_FOUND', message: 'Key not found' };

/** As the reference lists them. */
const STATUSES: [KsmRestError, number][] = [
  ['INVALID_OTP', 400],
  ['KEY_NOT_FOUND', 404],
  ['REPLAY_DETECTED', 409],
  ['DECRYPTION_FAILED', 422],
  ['PRIVATE_ID_UNKNOWN', 422],
  ['STORAGE_ERROR', 500],
];

const parse = (status: number, body: unknown) => parseKsmRestResponse(status, JSON.stringify(body));

describe('formatKsmRestResponse', () => {
  const at = new Date('2024-01-15T10:30:45.678Z');

  it('writes the answer in the documentation of the REST reference server', () => {
    const counters = { usageCounter: 26, sessionUse: 3, timestamp: (15 << 16) + 35599 };
    const { httpStatus, text } = formatKsmRestResponse(
      { ok: true, publicId: 'cccccccccccc', counters, capsLock: false, privateIdChecked: true },
      at,
    );
    expect(httpStatus).toBe(200);
    expect(JSON.parse(text)).toEqual({ ...REFERENCE, private_id_checked: true });
  });

  it('writes the error in the documentation of the REST reference server', () => {
    const { httpStatus, text } = formatKsmRestResponse({ ok: false, error: 'KEY_NOT_FOUND' }, at);
    expect(httpStatus).toBe(404);
    expect(JSON.parse(text)).toEqual(ERROR);
  });

  it('writes what parseKsmRestResponse reads, errors too', () => {
    const success = fc.record({
      ok: fc.constant(true as const),
      publicId: modhex(12),
      counters,
      capsLock: fc.boolean(),
      privateIdChecked: fc.boolean(),
    });
    const errors = STATUSES.map(([error]) => ({ ok: false, error }) as const);
    fc.assert(
      fc.property(fc.oneof(success, fc.constantFrom(...errors)), (response) => {
        const { httpStatus, text } = formatKsmRestResponse(response, at);
        expect(parseKsmRestResponse(httpStatus, text)).toEqual(response);
      }),
    );
  });

  it('has an HTTP status for every error that it knows', () => {
    expect(Object.keys(KSM_REST_ERRORS).sort()).toEqual(STATUSES.map(([error]) => error).sort());
  });

  it.each([
    { usageCounter: 0x8000, sessionUse: 0, timestamp: 0 },
    { usageCounter: 1, sessionUse: 0x100, timestamp: 0 },
    { usageCounter: 1, sessionUse: 0, timestamp: -1 },
  ])('refuses to write counters that no OTP can have: %j', (counters) => {
    const response = { ok: true, publicId: '', counters, capsLock: false, privateIdChecked: true } as const;
    expect(() => formatKsmRestResponse(response, at)).toThrow(RangeError);
  });
});

describe('parseKsmRestResponse', () => {
  it('reads the answer in the documentation of the REST reference server', () => {
    expect(parse(200, REFERENCE)).toEqual({
      ok: true,
      publicId: 'cccccccccccc',
      counters: { usageCounter: 26, sessionUse: 3, timestamp: (15 << 16) + 35599 },
      capsLock: false,
      privateIdChecked: false,
    });
  });

  it('reads the counters of any answer, and the caps-lock bit in its counter', () => {
    fc.assert(
      fc.property(modhex(12), counters, fc.boolean(), fc.boolean(), (key_id, counters, capsLock, checked) => {
        const body = {
          status: 'OK',
          key_id,
          counter: counters.usageCounter + (capsLock ? 0x8000 : 0),
          timestamp_low: counters.timestamp % 0x1_0000,
          timestamp_high: Math.floor(counters.timestamp / 0x1_0000),
          session_use: counters.sessionUse,
          private_id_checked: checked,
        };
        expect(parse(200, body)).toEqual({
          ok: true,
          publicId: key_id,
          counters,
          capsLock,
          privateIdChecked: checked,
        });
      }),
    );
  });

  it.each(STATUSES)('reads %s only with HTTP %i', (error, status) => {
    const body = { ...ERROR, error_code: error };
    expect(parse(status, body)).toEqual({ ok: false, error });
    for (const other of [200, 400, 404, 409, 422, 500].filter((other) => other !== status)) {
      expect(() => parse(other, body)).toThrow(MalformedResponse);
    }
  });

  it.each(['counter', 'timestamp_low', 'timestamp_high', 'session_use'] as const)(
    'refuses %s that is missing, not a whole number, or out of range',
    (name) => {
      const most = { counter: 0xffff, timestamp_low: 0xffff, timestamp_high: 0xff, session_use: 0xff }[name];
      for (const value of [undefined, null, '1', '', true, [1], -1, 0.5, most + 1, 1e300]) {
        expect(() => parse(200, { ...REFERENCE, [name]: value })).toThrow(MalformedResponse);
      }
      expect(parse(200, { ...REFERENCE, [name]: most })).toMatchObject({ ok: true });
      expect(parse(200, { ...REFERENCE, [name]: 0 })).toMatchObject({ ok: true });
    },
  );

  it.each([
    ['nothing', ''],
    ['text that is not JSON', 'OK'],
    ['a truncated answer', JSON.stringify(REFERENCE).slice(0, -1)],
    ['null', 'null'],
    ['a string', '"OK"'],
    ['a number', '1'],
    ['an array', JSON.stringify([REFERENCE])],
    ['an empty object', '{}'],
    ['an error', JSON.stringify(ERROR)],
    ['another status', JSON.stringify({ ...REFERENCE, status: 'ok' })],
    ['no key_id', JSON.stringify({ ...REFERENCE, key_id: undefined })],
    ['a key_id that is not a string', JSON.stringify({ ...REFERENCE, key_id: ['cccccccccccc'] })],
    ['fields of __proto__', JSON.stringify(REFERENCE).replace('{', '{"__proto__":{').concat('}')],
    ['an answer of wsapi', 'OK counter=0001 low=8d40 high=0f use=00\n'],
  ])('refuses %s with HTTP 200', (_, text) => {
    expect(() => parseKsmRestResponse(200, text)).toThrow(MalformedResponse);
  });

  it.each([
    ['HTML', '<h1>Not Found</h1>'],
    ['JSON of another program', '{"message":"Not Found"}'],
    ['another error_code', JSON.stringify({ ...ERROR, error_code: 'INVALID_JSON' })],
    ['an error_code of Object.prototype', JSON.stringify({ ...ERROR, error_code: 'constructor' })],
    ['an error_code without status', JSON.stringify({ error_code: 'KEY_NOT_FOUND' })],
    ['an error with status OK', JSON.stringify({ ...ERROR, status: 'OK' })],
    ['nothing', ''],
  ])('attributes %s with HTTP 404 to a proxy in front of the KSM', (_, text) => {
    expect(parseKsmRestResponse(404, text)).toBeUndefined();
  });

  it('refuses any text with HTTP 200, without repeating it', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, fc.json()), (text) => {
        expect(() => parseKsmRestResponse(200, text)).toThrow(
          /^The answer to a decryption has no status OK$/,
        );
      }),
    );
  });
});
