/** The counters of one OTP. Together they tell which of two OTPs of a key is newer. */
export interface Counters {
  /** The number of power-ups with at least one touch, 0 to 0x7fff, without the caps-lock bit of the token. */
  readonly usageCounter: number;
  /** The number of touches in this power-up, from 0 for the first one to 0xff. */
  readonly sessionUse: number;
  /** The key's clock, 24 bits at about 8 Hz. It starts at a random value at power-up and wraps after about 24 days. */
  readonly timestamp: number;
}

export const MAX_USAGE_COUNTER = 0x7fff;
/** The bit in a token's usage counter field that tells whether caps lock triggered the key. Not part of the counter. */
export const CAPS_LOCK_BIT = 0x8000;

const CLOCK_RANGE = 2 ** 24;
const CLOCK_HZ = 8;

/** Whether `next` was typed after `last`: its usage counter is higher, or equal with a higher session use. */
export function isNewer(next: Counters, last: Counters): boolean {
  return next.usageCounter === last.usageCounter
    ? next.sessionUse > last.sessionUse
    : next.usageCounter > last.usageCounter;
}

/** Whether both belong to the same touch. Like the reference server, it ignores the clock. */
export function isSameTouch(one: Counters, other: Counters): boolean {
  return one.usageCounter === other.usageCounter && one.sessionUse === other.sessionUse;
}

/** Milliseconds from `first` to `last` by the key's clock, within one power-up, even if the clock has wrapped once. */
export function millisecondsBetween(first: Counters, last: Counters): number {
  return (((last.timestamp - first.timestamp) & (CLOCK_RANGE - 1)) * 1000) / CLOCK_HZ;
}

/** The difference between `elapsed` milliseconds and the time by the key's clock, however often it has wrapped. */
export function clockDeviation(first: Counters, last: Counters, elapsed: number): number {
  const range = (CLOCK_RANGE * 1000) / CLOCK_HZ;
  const difference = Math.abs(elapsed - millisecondsBetween(first, last)) % range;
  return Math.min(difference, range - difference);
}
