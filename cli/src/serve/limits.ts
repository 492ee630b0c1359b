import { LRUCache } from 'lru-cache';
import { YubikeyError } from 'passport-yubikey-otp';
import type { AddressOf, Listener } from 'passport-yubikey-otp/server';
import type { Advance, CounterStore } from 'passport-yubikey-otp/stores';
import { networkOf } from './addresses.js';
import { answer } from './answer.js';

const WINDOW_MS = 60_000;
/** Who sends from more addresses than this pushes out those that send least. */
const MAX_REMEMBERED = 100_000;

/** How often something may happen a minute, for each of many keys, in bounded memory. */
export class RateLimit {
  private readonly windows = new LRUCache<string, { count: number; endsAt: number }>({ max: MAX_REMEMBERED });

  /** @param perMinute 0 for any number. */
  constructor(private readonly perMinute: number) {}

  /** Counts one, and says whether it is still within the limit. */
  take(key: string): boolean {
    if (this.perMinute === 0) return true;
    let window = this.windowOf(key);
    if (!window) {
      window = { count: 0, endsAt: performance.now() + WINDOW_MS };
      this.windows.set(key, window);
    }
    window.count += 1;
    return window.count <= this.perMinute;
  }

  /** Whether the limit is reached, without counting. */
  isReached(key: string): boolean {
    return this.perMinute !== 0 && (this.windowOf(key)?.count ?? 0) >= this.perMinute;
  }

  /** In how many seconds the next one is within the limit again. */
  secondsLeft(key: string): number {
    const left = (this.windowOf(key)?.endsAt ?? 0) - performance.now();
    return Math.max(1, Math.ceil(left / 1000));
  }

  private windowOf(key: string) {
    const window = this.windows.get(key);
    return window && window.endsAt > performance.now() ? window : undefined;
  }
}

/** Answers 429 to an address that sends too much, before anything is read of it. */
export function limitAddresses(listener: Listener, limit: RateLimit, addressOf: AddressOf): Listener {
  return (request, response, next) => {
    const network = networkOf(addressOf(request) ?? '');
    if (limit.take(network)) return listener(request, response, next);
    answer(response, 429, 'Too many requests from this address', {
      'Retry-After': String(limit.secondsLeft(network)),
    });
  };
}

/**
 * Counter stores hear of OTPs that decrypted only, so garbage counts for nobody. Of these, a fresh one is never
 * refused: who got hold of an old OTP could otherwise lock its owner out by sending it often.
 */
export function limitReplays(counters: CounterStore, limit: RateLimit): CounterStore {
  return {
    get: (publicId) => counters.get(publicId),
    list: (options) => counters.list(options),
    async advance(publicId, ...row): Promise<Advance> {
      if (limit.isReached(publicId) && !(await isFresh(counters, publicId, row[0]))) {
        throw new YubikeyError('RATE_LIMITED', 'Too many replayed OTPs of this key: wait a minute');
      }
      const advance = await counters.advance(publicId, ...row);
      if (!advance.advanced) limit.take(publicId);
      return advance;
    },
  };
}

type Counters = Parameters<CounterStore['advance']>[1];

async function isFresh(counters: CounterStore, publicId: string, next: Counters): Promise<boolean> {
  const last = await counters.get(publicId);
  if (!last || next.usageCounter > last.usageCounter) return true;
  return next.usageCounter === last.usageCounter && next.sessionUse > last.sessionUse;
}
