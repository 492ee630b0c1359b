import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Counters } from '../../src/otp/counters.js';
import { parseOtp } from '../../src/otp/otp.js';
import { decryptToken, type Token } from '../../src/otp/token.js';
import { SoftYubikey, type SoftYubikeyOptions, type SoftYubikeyState } from '../../src/testing/index.js';

function touch(yubikey: SoftYubikey): Token {
  const token = decryptToken(parseOtp(yubikey.press()).token, yubikey.aesKey);
  if (!token) throw new Error('The typed OTP does not decrypt');
  return token;
}
const touchForCounters = (yubikey: SoftYubikey) => touch(yubikey).counters;
const at = (usageCounter: number, sessionUse: number) => ({ usageCounter, sessionUse });

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('SoftYubikey', () => {
  it('types its public ID and a token with its private ID', () => {
    const yubikey = new SoftYubikey({
      publicId: 'vvcbdefghijk',
      privateId: '010203040506',
      aesKey: '000102030405060708090a0b0c0d0e0f',
    });
    const otp = parseOtp(yubikey.press());
    expect(otp.publicId).toBe('vvcbdefghijk');
    const token = decryptToken(otp.token, Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'));
    expect(token).toMatchObject({ privateId: Buffer.from('010203040506', 'hex'), capsLock: false });
  });

  it('is a different key each time, unless its secrets are given', () => {
    const keys = Array.from({ length: 50 }, () => new SoftYubikey().toJSON());
    for (const secret of ['publicId', 'privateId', 'aesKey'] as const) {
      expect(new Set(keys.map((key) => key[secret])).size).toBe(50);
    }
    expect(keys.every(({ publicId }) => /^vv[cbdefghijklnrtuv]{10}$/.test(publicId))).toBe(true);
  });

  it('raises the usage counter with the first touch after power-up, and then the session use', () => {
    const yubikey = new SoftYubikey({ usageCounter: 41 });
    const touches = [1, 2, 3].map(() => touchForCounters(yubikey));
    expect(touches).toMatchObject([at(42, 0), at(42, 1), at(42, 2)]);
    expect(yubikey.counters).toMatchObject(at(42, 2));
  });

  it('keeps the counters of the last touch while its clock continues', () => {
    const yubikey = new SoftYubikey();
    const last = touchForCounters(yubikey);
    vi.advanceTimersByTime(1000);
    expect(yubikey.counters).toEqual(last);
    expect((touchForCounters(yubikey).timestamp - last.timestamp) & 0xff_ffff).toBe(8);
  });

  it('counts a power-up only once it is touched', () => {
    const yubikey = new SoftYubikey();
    expect(touchForCounters(yubikey)).toMatchObject(at(1, 0));
    yubikey.replug();
    yubikey.replug();
    expect(touchForCounters(yubikey)).toMatchObject(at(2, 0));
    expect(touchForCounters(yubikey)).toMatchObject(at(2, 1));
  });

  it('wraps the session use into the usage counter', () => {
    const yubikey = SoftYubikey.fromJSON({
      ...new SoftYubikey().toJSON(),
      usageCounter: 7,
      sessionUse: 0xfe,
    });
    expect([1, 2, 3].map(() => touchForCounters(yubikey))).toMatchObject([at(7, 0xff), at(8, 0), at(8, 1)]);
  });

  it('stops at the last usage counter', () => {
    const yubikey = new SoftYubikey({ usageCounter: 0x7ffe });
    expect(touchForCounters(yubikey)).toMatchObject(at(0x7fff, 0));
    yubikey.replug();
    expect(touch(yubikey)).toMatchObject({ counters: at(0x7fff, 0), capsLock: false });
  });

  it('has a clock of 8 Hz', () => {
    const yubikey = new SoftYubikey();
    const first = touchForCounters(yubikey).timestamp;
    vi.advanceTimersByTime(124);
    expect(touchForCounters(yubikey).timestamp).toBe(first);
    vi.advanceTimersByTime(60_001);
    expect((touchForCounters(yubikey).timestamp - first) & 0xff_ffff).toBe(481);
  });

  it('has a clock that wraps at 24 bits and starts at random at power-up', () => {
    const state: SoftYubikeyState = { ...new SoftYubikey().toJSON(), clockAtPowerUp: 0xff_ffff };
    const yubikey = SoftYubikey.fromJSON(state);
    expect(touchForCounters(yubikey).timestamp).toBe(0xff_ffff);
    vi.advanceTimersByTime(125);
    expect(touchForCounters(yubikey).timestamp).toBe(0);
    const starts = Array.from({ length: 10 }, () => {
      yubikey.replug();
      return touchForCounters(yubikey).timestamp;
    });
    expect(new Set(starts).size).toBeGreaterThan(5);
  });

  it('continues in the middle of a session from its JSON', () => {
    const yubikey = new SoftYubikey({ layout: 'us(dvorak)', usageCounter: 5 });
    yubikey.press();
    yubikey.press();
    const copy = SoftYubikey.fromJSON(JSON.parse(JSON.stringify(yubikey)));
    expect(copy.toJSON()).toEqual(yubikey.toJSON());
    // Some databases store undefined as null.
    expect(Object.values(new SoftYubikey().toJSON())).not.toContain(undefined);
    vi.advanceTimersByTime(1000);
    yubikey.press();
    copy.press();
    expect(copy.counters).toEqual(yubikey.counters);
    expect(copy.counters).toMatchObject(at(6, 2));
  });

  it('continues from its JSON before the first touch', () => {
    const copy = SoftYubikey.fromJSON(JSON.parse(JSON.stringify(new SoftYubikey({ usageCounter: 5 }))));
    expect(touchForCounters(copy)).toMatchObject(at(6, 0));
  });

  it.each(['publicId', 'privateId', 'aesKey', 'usageCounter', 'clockAtPowerUp', 'poweredUpAt'] as const)(
    'refuses JSON without %s',
    (field) => {
      const { [field]: _, ...rest } = new SoftYubikey().toJSON();
      expect(() => SoftYubikey.fromJSON(rest as SoftYubikeyState)).toThrow(TypeError);
    },
  );

  it('types on the keyboard layout of the computer, in capitals with caps lock', () => {
    const typed = new SoftYubikey({ publicId: 'cbdefghijklnrtuv', layout: 'ru' }).press({ capsLock: true });
    expect(typed).toMatch(/^СИВУАПРШОЛДТКЕГМ[А-Я]{32}$/);
  });

  it('marks the token with caps lock, without a change to the counters', () => {
    const yubikey = new SoftYubikey();
    const { value, token } = parseOtp(yubikey.press({ capsLock: true }));
    expect(value).toBe(value.toLowerCase());
    expect(decryptToken(token, yubikey.aesKey)).toMatchObject({ counters: at(1, 0), capsLock: true });
    expect(touch(yubikey)).toMatchObject({ counters: at(1, 1) satisfies Partial<Counters>, capsLock: false });
  });

  it.each<[string, Record<string, unknown>]>([
    ['a public ID that is not modhex', { publicId: 'secret' }],
    ['a public ID of 17 letters', { publicId: 'c'.repeat(17) }],
    ['an AES key that is too short', { aesKey: 'deadbeef' }],
    ['an AES key that is not hexadecimal', { aesKey: 'deadbeefdeadbeefdeadbeefdeadbeez' }],
    ['an AES key of 24 bytes', { aesKey: Buffer.alloc(24) }],
    ['an AES key of another type', { aesKey: ['deadbeef'] }],
    ['a private ID that is too long', { privateId: 'deadbeefdeadbeef' }],
    ['a usage counter with the caps-lock bit', { usageCounter: 0x8000 }],
    ['a usage counter that is not a number', { usageCounter: Number.NaN }],
    ['an unknown layout', { layout: 'us(azerty)' }],
  ])('refuses %s, and does not repeat a secret', (_, options) => {
    const make = () => new SoftYubikey(options as SoftYubikeyOptions);
    expect(make).toThrow(TypeError);
    expect(make).not.toThrow('deadbeef');
  });
});
