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
export const MAX_SESSION_USE = 0xff;
export const MAX_TIMESTAMP = 0xff_ffff;

const CLOCK_RANGE = MAX_TIMESTAMP + 1;
export const CLOCK_HZ = 8;

/**
 * Whether `next` was typed after `last`, the counters of the last OTP of the same key that was accepted: its usage
 * counter is higher, or equal with a higher session use (validation protocol 2.0, "Server algorithm"). Without a last
 * OTP, every OTP is newer. The timestamp does not count, because it starts at a random value at each power-up.
 *
 * Both usage counters must be without the caps-lock bit, as `readCounterFields` and the parsers of this package return
 * them. A comparison is no protection against replays by itself: two requests may compare at the same time, so a store
 * must compare and write in one atomic step.
 */
export function isNewer(next: Counters, last: Counters | undefined): boolean {
  if (last === undefined) return true;
  return next.usageCounter === last.usageCounter
    ? next.sessionUse > last.sessionUse
    : next.usageCounter > last.usageCounter;
}

/** @throws RangeError for counters that no OTP can have. */
export function assertCounters({ usageCounter, sessionUse, timestamp }: Counters): void {
  assertRange('usageCounter', usageCounter, MAX_USAGE_COUNTER);
  assertRange('sessionUse', sessionUse, MAX_SESSION_USE);
  assertRange('timestamp', timestamp, MAX_TIMESTAMP);
}

/** @throws RangeError */
export function assertRange(name: string, value: number, most: number): void {
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw new RangeError(`${name} must be a whole number from 0 to ${most}`);
  }
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
