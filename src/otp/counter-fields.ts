import {
  assertCounters,
  assertRange,
  type Counters,
  MAX_SESSION_USE,
  MAX_TIMESTAMP,
  MAX_USAGE_COUNTER,
} from './counters.js';

/** The bit of a usage counter field that tells whether caps lock triggered the key. It is not part of the counter. */
const CAPS_LOCK_BIT = 0x8000;

/**
 * The counters of an OTP in four numbers, as KSM protocols (`counter`, `low`, `high`, `use`) and the tables of yubikey-val
 * (`yk_counter`, `yk_low`, `yk_high`, `yk_use`) have them.
 */
export interface CounterFields {
  /** The usage counter, 15 bits, and bit 15 if caps lock triggered the key. */
  readonly counter: number;
  /** The lower 16 bits of the timestamp. */
  readonly low: number;
  /** The upper 8 bits of the timestamp. */
  readonly high: number;
  /** The session use, 8 bits. */
  readonly use: number;
}

/** The highest value of each field. The lowest is 0. */
export const MAX_COUNTER_FIELDS: CounterFields = {
  counter: CAPS_LOCK_BIT | MAX_USAGE_COUNTER,
  low: 0xffff,
  high: MAX_TIMESTAMP >>> 16,
  use: MAX_SESSION_USE,
};

/**
 * Reads counters from the fields of a KSM protocol or of yubikey-val's table (OTP decryption protocol, "Response").
 * Takes the caps-lock bit off the usage counter: with it, the OTP would look newer than all later ones.
 *
 * @throws RangeError for a field that is not a whole number from 0 to its value in {@link MAX_COUNTER_FIELDS}.
 */
export function readCounterFields(fields: CounterFields): { counters: Counters; capsLock: boolean } {
  for (const name of ['counter', 'low', 'high', 'use'] as const) {
    assertRange(name, fields[name], MAX_COUNTER_FIELDS[name]);
  }
  const { usageCounter, capsLock } = splitUsageField(fields.counter);
  const timestamp = (fields.high << 16) | fields.low;
  return { counters: { usageCounter, sessionUse: fields.use, timestamp }, capsLock };
}

/**
 * Writes counters as the fields of a KSM protocol: the inverse of {@link readCounterFields}.
 *
 * @param capsLock Whether caps lock triggered the key. Default false.
 * @throws RangeError for counters that no OTP can have.
 */
export function formatCounterFields(counters: Counters, capsLock = false): CounterFields {
  assertCounters(counters);
  const { usageCounter, sessionUse, timestamp } = counters;
  return {
    counter: joinUsageField(usageCounter, capsLock),
    low: timestamp & 0xffff,
    high: timestamp >>> 16,
    use: sessionUse,
  };
}

/** Separates the usage counter of a token from the caps-lock bit. */
export function splitUsageField(field: number): { usageCounter: number; capsLock: boolean } {
  return { usageCounter: field & MAX_USAGE_COUNTER, capsLock: (field & CAPS_LOCK_BIT) !== 0 };
}

/** The inverse of {@link splitUsageField}. */
export function joinUsageField(usageCounter: number, capsLock: boolean): number {
  return usageCounter | (capsLock ? CAPS_LOCK_BIT : 0);
}
