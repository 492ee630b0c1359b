import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decryptToken, encryptToken, type Token } from '../../src/otp/token.js';
import { bytes, counters } from '../support/arbitraries.js';
import { corruptOtps, genuineOtps, type OtpVector } from '../support/vectors.js';

function readVector(vector: OtpVector): Token {
  return {
    privateId: Buffer.from(vector.privateId, 'hex'),
    counters: {
      usageCounter: vector.usageCounter & 0x7fff,
      timestamp: vector.timestampHigh * 0x1_0000 + vector.timestampLow,
      sessionUse: vector.sessionUse,
    },
    capsLock: vector.capsLock,
    random: vector.random,
  };
}

const readAesKey = ({ aesKey }: { aesKey: string }) => Buffer.from(aesKey, 'hex');

describe('a token', () => {
  it.each(genuineOtps)('$otp decrypts to the same fields as with libyubikey', (vector) => {
    expect(decryptToken(vector.otp.slice(-32), readAesKey(vector))).toEqual(readVector(vector));
  });

  it.each(genuineOtps)('the fields of $otp encrypt to it', (vector) => {
    expect(vector.publicId + encryptToken(readVector(vector), readAesKey(vector))).toBe(vector.otp);
  });

  it.each(corruptOtps)('$otp is refused, because one character was changed', (vector) => {
    expect(decryptToken(vector.otp.slice(-32), readAesKey(vector))).toBeUndefined();
  });

  it('decrypts to the encrypted fields with its own key', () => {
    const token = fc.record({
      privateId: bytes(6).map((privateId) => Buffer.from(privateId)),
      counters,
      capsLock: fc.boolean(),
      random: fc.integer({ min: 0, max: 0xffff }),
    });
    fc.assert(
      fc.property(token, bytes(16), (fields, aesKey) => {
        expect(decryptToken(encryptToken(fields, aesKey), aesKey)).toEqual(fields);
      }),
    );
  });

  it('keeps the caps-lock bit out of the usage counter', () => {
    const marked = genuineOtps.filter(({ usageCounter }) => usageCounter > 0x7fff);
    expect(marked.length).toBeGreaterThan(0);
    for (const vector of marked) {
      const token = decryptToken(vector.otp.slice(-32), readAesKey(vector));
      expect(token?.capsLock).toBe(true);
      expect(token?.counters.usageCounter).toBe(vector.usageCounter - 0x8000);
    }
  });

  it('is refused with another key', () => {
    const refused = genuineOtps.filter(
      ({ otp }) => decryptToken(otp.slice(-32), Buffer.alloc(16, 7)) === undefined,
    );
    expect(refused).toHaveLength(genuineOtps.length);
  });
});
