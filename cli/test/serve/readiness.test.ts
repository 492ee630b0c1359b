import { YubikeyError } from 'passport-yubikey-otp';
import { MemoryStore } from 'passport-yubikey-otp/stores';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Readiness } from '../../src/serve/readiness.js';

const COUNTERS = { usageCounter: 1, sessionUse: 1, timestamp: 1 };
const FAULT = new YubikeyError('STORE_FAILED', 'The database failed, and nothing was written');

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A database whose writes of its own do what the test says. */
function watched(probe = vi.fn(async () => undefined as undefined), fault?: Promise<never>) {
  const readiness = new Readiness({ probe, fault });
  const { counters } = new MemoryStore();
  const advance = vi.spyOn(counters, 'advance');
  return { readiness, probe, advance, counters: readiness.watch(counters) };
}

/** What is answered after so long. */
async function checked(readiness: Readiness, wait = 0, bound?: number): Promise<boolean> {
  const answer = readiness.check(bound);
  await vi.advanceTimersByTimeAsync(wait);
  return answer;
}

describe('readiness', () => {
  it('is tested by a probe, once in five seconds however often it is asked for', async () => {
    const { readiness, probe } = watched();
    const answers = await Promise.all(Array.from({ length: 100 }, () => readiness.check()));
    expect(answers).toEqual(Array.from({ length: 100 }, () => true));
    await vi.advanceTimersByTimeAsync(4_900);
    expect(await checked(readiness)).toBe(true);
    expect(probe).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(await checked(readiness)).toBe(true);
    expect(probe).toHaveBeenCalledTimes(2);
  });

  it('needs no probe while OTPs are accepted', async () => {
    const { readiness, probe, counters } = watched();
    for (let session = 1; session < 20; session++) {
      await counters.advance('cc', { ...COUNTERS, sessionUse: session });
      expect(await checked(readiness)).toBe(true);
      await vi.advanceTimersByTimeAsync(3_000);
    }
    expect(probe).not.toHaveBeenCalled();
  });

  it('ends with a failed verification, and is tested again a second later', async () => {
    const { readiness, probe, advance, counters } = watched();
    await counters.advance('cc', COUNTERS);
    advance.mockRejectedValueOnce(FAULT);
    await expect(counters.advance('cc', COUNTERS)).rejects.toBe(FAULT);
    expect(await checked(readiness)).toBe(false);
    expect(probe).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await checked(readiness)).toBe(true);
    expect(probe).toHaveBeenCalledTimes(1);
  });

  it('is not proved by a replay, which may write nothing', async () => {
    const { readiness, probe, counters } = watched(vi.fn(() => Promise.reject(FAULT)));
    await counters.advance('cc', COUNTERS);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await counters.advance('cc', COUNTERS)).toMatchObject({ advanced: false });
    expect(await checked(readiness)).toBe(false);
    expect(probe).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['counters that no key has', new RangeError('usageCounter must be 0 to 32767')],
    ['a value of the wrong type', new TypeError('publicId must be text')],
  ])('says nothing because of %s', async (_name, error) => {
    const { readiness, advance, counters } = watched();
    await counters.advance('cc', COUNTERS);
    advance.mockRejectedValueOnce(error);
    await expect(counters.advance('cc', COUNTERS)).rejects.toBe(error);
    expect(await checked(readiness)).toBe(true);
  });

  it('is not changed by a call that its caller aborted', async () => {
    const { readiness, advance, counters } = watched();
    await counters.advance('cc', COUNTERS);
    advance.mockRejectedValueOnce(FAULT);
    const aborted = AbortSignal.abort();
    await expect(counters.advance('cc', COUNTERS, undefined, undefined, aborted)).rejects.toBe(FAULT);
    expect(await checked(readiness)).toBe(true);
  });

  it('is false while a probe hangs: after two seconds at first, then at once', async () => {
    const { readiness, probe } = watched(vi.fn(() => new Promise<undefined>(() => undefined)));
    expect(await checked(readiness, 2_000)).toBe(false);
    expect(await checked(readiness)).toBe(false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await checked(readiness)).toBe(false);
    expect(probe).toHaveBeenCalledTimes(1);
  });

  it('stays as it was for callers that wait a shorter time, until the probe is slow', async () => {
    const probe = vi.fn(async () => undefined as undefined);
    const { readiness } = watched(probe);
    expect(await checked(readiness)).toBe(true);
    await vi.advanceTimersByTimeAsync(5_000);
    probe.mockReturnValue(new Promise(() => undefined));
    expect(await checked(readiness, 250, 250)).toBe(true);
    await vi.advanceTimersByTimeAsync(1_750);
    expect(await checked(readiness, 0, 250)).toBe(false);
  });

  it('comes back with the first accepted OTP, even while a probe hangs', async () => {
    const { readiness, counters } = watched(vi.fn(() => new Promise<undefined>(() => undefined)));
    expect(await checked(readiness, 2_000)).toBe(false);
    await counters.advance('cc', COUNTERS);
    expect(await checked(readiness)).toBe(true);
  });

  it('ends for good with a database that can no longer be used', async () => {
    const { readiness, counters } = watched(undefined, Promise.resolve() as Promise<never>);
    await counters.advance('cc', COUNTERS);
    expect(await checked(readiness)).toBe(false);
  });
});
