import { MemoryStore } from 'passport-yubikey-otp/stores';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { toNetwork } from '../../src/serve/addresses.js';
import { limitReplays, RateLimit } from '../../src/serve/limits.js';

describe('RateLimit', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('lets the given number through, for each key, in each minute', () => {
    const limit = new RateLimit(2);
    expect([limit.take('a'), limit.take('a'), limit.take('a'), limit.take('b')]).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect(limit.secondsLeft('a')).toBe(60);
    vi.advanceTimersByTime(60_001);
    expect(limit.take('a')).toBe(true);
  });

  it('lets everything through if the limit is 0', () => {
    const limit = new RateLimit(0);
    expect(Array.from({ length: 1000 }, () => limit.take('a'))).not.toContain(false);
    expect(limit.isReached('a')).toBe(false);
  });

  it('remembers the busiest sender, however many others there are', () => {
    const limit = new RateLimit(1);
    limit.take('flooder');
    for (let at = 0; at < 250_000; at++) {
      limit.take(`2001:db8:${at}`);
      if (at % 1000 === 0) expect(limit.take('flooder')).toBe(false);
    }
    expect(limit.take('2001:db8:0')).toBe(true);
  });
});

describe('toNetwork', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::9', '2001:db8:1:2'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['', ''],
  ])('%s is limited with %s', (address, network) => {
    expect(toNetwork(address)).toBe(network);
  });
});

describe('limitReplays', () => {
  const counters = (usageCounter: number, sessionUse = 1) => ({ usageCounter, sessionUse, timestamp: 1 });

  it('refuses replays of a key above the limit, and never a fresh OTP of it', async () => {
    const store = limitReplays(new MemoryStore().counters, new RateLimit(2));
    expect(await store.advance('vv', counters(5))).toMatchObject({ advanced: true });
    for (let tries = 0; tries < 2; tries++) {
      expect(await store.advance('vv', counters(5))).toMatchObject({ reason: 'REPLAYED_OTP' });
    }
    for (const replayed of [counters(5), counters(4), counters(5, 0)]) {
      await expect(store.advance('vv', replayed)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    }
    expect(await store.advance('vv', counters(5, 2))).toMatchObject({ advanced: true });
    expect(await store.advance('vv', counters(6, 0))).toMatchObject({ advanced: true });
    await expect(store.advance('vv', counters(5, 2))).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    expect(await store.advance('vvcc', counters(1))).toMatchObject({ advanced: true });
  });

  it('counts no fresh OTP', async () => {
    const store = limitReplays(new MemoryStore().counters, new RateLimit(2));
    for (let use = 1; use < 20; use++) {
      expect(await store.advance('vv', counters(use))).toMatchObject({ advanced: true });
    }
  });
});
