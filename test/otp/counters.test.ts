import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Counters,
  clockDeviation,
  isNewer,
  isSameTouch,
  millisecondsBetween,
} from '../../src/otp/counters.js';
import { counters } from '../support/arbitraries.js';

const touch = (usageCounter: number, sessionUse: number, timestamp = 0): Counters => ({
  usageCounter,
  sessionUse,
  timestamp,
});

describe('isNewer', () => {
  it.each([
    ['a higher usage counter, although the session use is lower', touch(6, 0), true],
    ['a higher session use of the same power-up', touch(5, 8), true],
    ['equal counters', touch(5, 7), false],
    ['equal counters, although the clock is later', touch(5, 7, 999), false],
    ['a lower session use', touch(5, 6), false],
    ['a lower usage counter, although the session use is higher', touch(4, 255), false],
  ])('%s', (_, next, newer) => {
    expect(isNewer(next, touch(5, 7))).toBe(newer);
  });

  it('is true of the first OTP of a key', () => {
    expect(isNewer(touch(0, 0), undefined)).toBe(true);
  });

  it('orders any two OTPs of different touches', () => {
    fc.assert(
      fc.property(counters, counters, (one, other) => {
        const said = [isNewer(one, other), isNewer(other, one), isSameTouch(one, other)];
        expect(said.filter(Boolean)).toHaveLength(1);
      }),
    );
  });

  it('is transitive', () => {
    const near = fc.record({
      usageCounter: fc.integer({ min: 0, max: 3 }),
      sessionUse: fc.integer({ min: 0, max: 3 }),
      timestamp: fc.constant(0),
    });
    fc.assert(
      fc.property(near, near, near, (a, b, c) => {
        if (isNewer(a, b) && isNewer(b, c)) expect(isNewer(a, c)).toBe(true);
      }),
    );
  });
});

describe('the clock of a key', () => {
  it('ticks eight times a second', () => {
    expect(millisecondsBetween(touch(1, 0, 100), touch(1, 1, 180))).toBe(10_000);
  });

  it('continues after it wraps', () => {
    expect(millisecondsBetween(touch(1, 0, 0xff_fffe), touch(1, 1, 0x00_0006))).toBe(1000);
  });

  it('deviates in both directions', () => {
    const [first, last] = [touch(1, 0, 0), touch(1, 1, 8)];
    expect(clockDeviation(first, last, 1000)).toBe(0);
    expect(clockDeviation(first, last, 61_000)).toBe(60_000);
    expect(clockDeviation(first, last, 0)).toBe(1000);
    expect(clockDeviation(first, last, (2 ** 24 * 1000) / 8)).toBe(1000);
  });

  it('does not deviate by wrapping, however often', () => {
    const wrap = (2 ** 24 * 1000) / 8;
    fc.assert(
      fc.property(counters, counters, fc.integer({ min: 0, max: 20 }), (first, last, wraps) => {
        expect(clockDeviation(first, last, wraps * wrap + millisecondsBetween(first, last))).toBe(0);
      }),
    );
  });
});
