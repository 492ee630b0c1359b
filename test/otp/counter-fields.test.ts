import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatCounterFields, readCounterFields } from '../../src/otp/counter-fields.js';
import { counters } from '../support/arbitraries.js';
import { genuineOtps } from '../support/vectors.js';

const NAMES = ['counter', 'low', 'high', 'use'] as const;
const MOST = { counter: 0xffff, low: 0xffff, high: 0xff, use: 0xff };

describe('readCounterFields', () => {
  it.each(genuineOtps)('reads those of the vector $otp', (vector) => {
    const { usageCounter, timestampLow: low, timestampHigh: high, sessionUse: use, capsLock } = vector;
    expect(readCounterFields({ counter: usageCounter, low, high, use })).toEqual({
      counters: { usageCounter: usageCounter & 0x7fff, sessionUse: use, timestamp: high * 0x1_0000 + low },
      capsLock,
    });
  });

  it('reads what formatCounterFields writes', () => {
    fc.assert(
      fc.property(counters, fc.boolean(), (counters, capsLock) => {
        expect(readCounterFields(formatCounterFields(counters, capsLock))).toEqual({ counters, capsLock });
      }),
    );
  });

  it('takes the caps-lock bit off the usage counter', () => {
    expect(readCounterFields({ counter: 0x8001, low: 0, high: 0, use: 0 })).toEqual({
      counters: { usageCounter: 1, sessionUse: 0, timestamp: 0 },
      capsLock: true,
    });
  });

  it.each(NAMES)(
    'reads %s up to its highest value, and refuses what is not a number in its range',
    (name) => {
      expect(readCounterFields({ ...MOST, [name]: MOST[name] }).counters).toEqual({
        usageCounter: 0x7fff,
        sessionUse: 0xff,
        timestamp: 0xff_ffff,
      });
      for (const value of [MOST[name] + 1, -1, 0.5, Number.NaN, '1', undefined, null]) {
        expect(() => readCounterFields({ ...MOST, [name]: value as number })).toThrow(RangeError);
      }
    },
  );
});

describe('formatCounterFields', () => {
  it('leaves the caps-lock bit out unless it is asked for', () => {
    const counters = { usageCounter: 0x7fff, sessionUse: 0, timestamp: 0 };
    expect(formatCounterFields(counters).counter).toBe(0x7fff);
    expect(formatCounterFields(counters, true).counter).toBe(0xffff);
  });

  it.each([
    { usageCounter: 0x8000, sessionUse: 0, timestamp: 0 },
    { usageCounter: 0, sessionUse: 0x100, timestamp: 0 },
    { usageCounter: 0, sessionUse: 0, timestamp: 0x100_0000 },
    { usageCounter: -1, sessionUse: 0, timestamp: 0 },
  ])('refuses counters that no OTP can have: %j', (counters) => {
    expect(() => formatCounterFields(counters)).toThrow(RangeError);
  });
});
