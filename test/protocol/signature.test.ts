import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseApiKey } from '../../src/protocol/api-key.js';
import { isSigned, isSignedWith, signParameters } from '../../src/protocol/signature.js';
import { anyText, bytes } from '../support/arbitraries.js';
import { signatures, signatureVector } from '../support/vectors.js';

const vector = signatureVector('request');
const apiKey = parseApiKey(vector.secret);
const parameters = (changes: Record<string, string> = {}) =>
  new Map(Object.entries({ ...vector.params, ...changes }));
const signed = (changes: Record<string, string> = {}) => parameters({ h: vector.h, ...changes });

describe('signParameters', () => {
  it.each(signatures)('returns the published signature of the $what', ({ secret, params, h }) => {
    expect(signParameters(new Map(Object.entries(params)), parseApiKey(secret))).toBe(h);
  });

  it('does not depend on the order of the parameters', () => {
    const entries = Object.entries(vector.params);
    fc.assert(
      fc.property(fc.shuffledSubarray(entries, { minLength: entries.length }), (shuffled) => {
        expect(signParameters(new Map(shuffled), apiKey)).toBe(vector.h);
      }),
    );
  });

  it('ignores h', () => {
    expect(signParameters(parameters({ h: 'anything' }), apiKey)).toBe(vector.h);
  });

  it('covers unknown and empty parameters, and those in capitals', () => {
    for (const change of [{ _method: 'GET' }, { extra: '' }, { H: vector.h }, { Status: 'OK' }]) {
      expect(signParameters(parameters(change), apiKey)).not.toBe(vector.h);
    }
  });

  it('signs with the empty key, as the reference server does for unknown clients', () => {
    expect(signParameters(parameters(), new Uint8Array())).toMatch(/^[A-Za-z0-9+/]{27}=$/);
    expect(signParameters(parameters(), new Uint8Array())).not.toBe(vector.h);
  });
});

describe('isSignedWith', () => {
  it('accepts the signature with the key', () => {
    expect(isSignedWith(signed(), apiKey)).toBe(true);
  });

  it.each(Object.keys(vector.params))('refuses another %s', (key) => {
    expect(isSignedWith(signed({ [key]: `${vector.params[key]}0` }), apiKey)).toBe(false);
    const without = signed();
    without.delete(key);
    expect(isSignedWith(without, apiKey)).toBe(false);
  });

  it('refuses an added parameter', () => {
    expect(isSignedWith(signed({ info: '' }), apiKey)).toBe(false);
  });

  it('refuses any other key', () => {
    fc.assert(
      fc.property(bytes(20), (other) => {
        fc.pre(!apiKey.equals(other));
        expect(isSignedWith(signed(), other)).toBe(false);
      }),
    );
    expect(isSignedWith(signed(), new Uint8Array())).toBe(false);
  });

  it.each([
    ['missing', undefined],
    ['empty', ''],
    ['a blank', ' '],
    ['without its padding', vector.h.slice(0, -1)],
    ['with too much padding', `${vector.h}=`],
    ['with a blank', `${vector.h} `],
    ['with a blank instead of +', vector.h.replace(/[+/]/, ' ')],
    ['in base64url', vector.h.replaceAll('+', '-').replaceAll('/', '_')],
    ['in another spelling of the same bytes', vector.h.replace('4=', '5=')],
    ['in lower case', vector.h.toLowerCase()],
    ['of the same length', vector.h.replace(/^./, 'A')],
    ['of many bytes', 'é'.repeat(10_000)],
  ])('refuses, without throwing, a signature that is %s', (_, h) => {
    expect(isSignedWith(h === undefined ? parameters() : parameters({ h }), apiKey)).toBe(false);
  });

  it('refuses any other text', () => {
    fc.assert(
      fc.property(anyText, (h) => {
        expect(isSignedWith(parameters({ h }), apiKey)).toBe(h === vector.h);
      }),
    );
  });
});

describe('isSigned', () => {
  it('is false for a missing, empty or blank h', () => {
    for (const none of [
      parameters(),
      parameters({ h: '' }),
      parameters({ h: ' ' }),
      parameters({ h: '\t' }),
    ]) {
      expect(isSigned(none)).toBe(false);
    }
    expect(isSigned(signed())).toBe(true);
    expect(isSigned(parameters({ h: 'forged' }))).toBe(true);
  });
});
