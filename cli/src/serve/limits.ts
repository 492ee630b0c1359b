import { LRUCache } from 'lru-cache';
import { YubikeyError } from 'passport-yubikey-otp';
import { isNewer } from 'passport-yubikey-otp/protocol';
import { type AddressOf, type Listener, sendAnswer } from 'passport-yubikey-otp/server';
import type { Advance, CounterStore } from 'passport-yubikey-otp/stores';
import { toNetwork } from './addresses.js';

const WINDOW_MS = 60_000;
/** A sender with more addresses than this pushes out the addresses that were used least recently. */
const MAX_REMEMBERED = 100_000;

/** Limits how often something may happen in a minute, for each of many keys, in bounded memory. */
export class RateLimit {
  readonly #perMinute: number;
  readonly #windows = new LRUCache<string, { count: number; endsAt: number }>({ max: MAX_REMEMBERED });

  /** @param perMinute 0 for no limit. */
  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** Counts one event. Returns whether it is within the limit. */
  take(key: string): boolean {
    if (this.#perMinute === 0) return true;
    let window = this.#currentWindow(key);
    if (!window) {
      window = { count: 0, endsAt: performance.now() + WINDOW_MS };
      this.#windows.set(key, window);
    }
    window.count += 1;
    return window.count <= this.#perMinute;
  }

  /** Whether the limit is reached, without counting. */
  isReached(key: string): boolean {
    return this.#perMinute !== 0 && (this.#currentWindow(key)?.count ?? 0) >= this.#perMinute;
  }

  /** Seconds until the next event is within the limit again. */
  secondsLeft(key: string): number {
    const left = (this.#currentWindow(key)?.endsAt ?? 0) - performance.now();
    return Math.max(1, Math.ceil(left / 1000));
  }

  #currentWindow(key: string) {
    const window = this.#windows.get(key);
    return window && window.endsAt > performance.now() ? window : undefined;
  }
}

/** Answers 429 to an address that sends too many requests, before any of the request is read. */
export function limitAddresses(listener: Listener, limit: RateLimit, readAddress: AddressOf): Listener {
  return (request, response, next) => {
    const network = toNetwork(readAddress(request) ?? '');
    if (limit.take(network)) return listener(request, response, next);
    sendAnswer(response, {
      status: 429,
      body: 'Too many requests from this address\n',
      headers: { 'Retry-After': String(limit.secondsLeft(network)) },
    });
  };
}

/**
 * Limits replays by public ID. Only OTPs that decrypt reach a counter store, so garbage counts against no key. A fresh
 * OTP is never refused: otherwise an attacker could lock an owner out by sending an old OTP often.
 */
export function limitReplays(counters: CounterStore, limit: RateLimit): CounterStore {
  return {
    get: (publicId) => counters.get(publicId),
    list: (options) => counters.list(options),
    async advance(publicId, ...row): Promise<Advance> {
      if (limit.isReached(publicId) && !isNewer(row[0], await counters.get(publicId))) {
        throw new YubikeyError('RATE_LIMITED', 'Too many replayed OTPs of this key: wait a minute');
      }
      const advance = await counters.advance(publicId, ...row);
      if (!advance.advanced) limit.take(publicId);
      return advance;
    },
  };
}
