/** The counters of one OTP: together they say which of two OTPs of a key is the newer one. */
export interface Counters {
  /** How often the key was powered up and used, 0 to 0x7fff. Without the caps-lock bit of the token. */
  readonly usageCounter: number;
  /** How often it was touched since it was powered up, 0 to 0xff. */
  readonly sessionUse: number;
  /** The key's clock, 24 bits at about 8 Hz: starts at random at power-up and wraps after about 24 days. */
  readonly timestamp: number;
}

export const MAX_USAGE_COUNTER = 0x7fff;
/** The bit of a token's usage counter field that says caps lock triggered the key; no part of the counter. */
export const CAPS_LOCK_BIT = 0x8000;

const CLOCK_RANGE = 2 ** 24;
const CLOCK_HZ = 8;

/** Whether `next` was typed after `last`: a higher usage counter, or the same one and a higher session use. */
export function isNewer(next: Counters, last: Counters): boolean {
  return next.usageCounter === last.usageCounter
    ? next.sessionUse > last.sessionUse
    : next.usageCounter > last.usageCounter;
}

/** Whether both are of the same touch; the clock is no part of this, as in the reference server. */
export function isSameTouch(one: Counters, other: Counters): boolean {
  return one.usageCounter === other.usageCounter && one.sessionUse === other.sessionUse;
}

/** Milliseconds by the key's clock from `first` to `last`, within one power-up; a wrapped clock is undone. */
export function millisecondsBetween(first: Counters, last: Counters): number {
  return (((last.timestamp - first.timestamp) & (CLOCK_RANGE - 1)) * 1000) / CLOCK_HZ;
}

/** How far `elapsed` milliseconds are from what the key's clock says, either way, whatever often it wrapped. */
export function clockDeviation(first: Counters, last: Counters, elapsed: number): number {
  const range = (CLOCK_RANGE * 1000) / CLOCK_HZ;
  const difference = Math.abs(elapsed - millisecondsBetween(first, last)) % range;
  return Math.min(difference, range - difference);
}
