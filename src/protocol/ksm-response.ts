import { CAPS_LOCK_BIT, type Counters, MAX_USAGE_COUNTER } from '../otp/counters.js';
import { MalformedResponse } from './validation-response.js';

/** The errors of the KSM protocol (`wsapi`), as they stand in an answer. */
export const KSM_ERRORS = {
  noOtp: 'No OTP provided',
  invalidOtp: 'Invalid OTP format',
  unknownKey: 'Unknown yubikey',
  /** The REST reference server's word for `unknownKey`. */
  keyNotFound: 'Key not found',
  corruptOtp: 'Corrupt OTP',
  databaseError: 'Database error',
  // Errors that only this KSM returns.
  replayedOtp: 'Replayed OTP',
  privateIdUnknown: 'Private ID unknown',
} as const;

/** A KSM's answer. The error is one of {@link KSM_ERRORS}, or another KSM's own text. */
export type KsmAnswer =
  | { readonly ok: true; readonly counters: Counters; readonly capsLock: boolean }
  | { readonly ok: false; readonly error: string };

const OK = /^OK counter=([0-9a-f]{4}) low=([0-9a-f]{4}) high=([0-9a-f]{2}) use=([0-9a-f]{2})$/;
const ERROR = /^ERR ([!-~](?:[ -~]{0,198}[!-~])?)$/;

/** Writes an answer as the reference server does: one line, whose counter includes the caps-lock bit of the token. */
export function formatKsmResponse(answer: KsmAnswer): string {
  const line = answer.ok ? formatCounters(answer.counters, answer.capsLock) : `ERR ${answer.error}`;
  if (!OK.test(line) && !ERROR.test(line)) {
    throw new TypeError('A KSM answer needs counters in their range, or an error in printable ASCII');
  }
  return `${line}\n`;
}

/**
 * Reads an answer: one line, with or without its line break. Numbers must have all their digits, so that a truncated
 * answer is refused.
 *
 * @throws MalformedResponse
 */
export function parseKsmResponse(text: string): KsmAnswer {
  const line = text.replace(/\r?\n$/, '');
  const error = ERROR.exec(line)?.[1];
  if (error !== undefined) return { ok: false, error };
  const fields = OK.exec(line);
  if (!fields) throw new MalformedResponse('The answer does not follow the KSM protocol');
  const [counter, low, high, use] = fields.slice(1).map((digits) => Number.parseInt(digits, 16)) as Four;
  return { ok: true, ...readKsmCounters(counter, low, high, use) };
}

/** Converts the fields that every KSM protocol uses for an OTP's counters. */
export function readKsmCounters(
  counter: number,
  low: number,
  high: number,
  use: number,
): { counters: Counters; capsLock: boolean } {
  return {
    counters: {
      usageCounter: counter & MAX_USAGE_COUNTER,
      sessionUse: use,
      timestamp: (high << 16) | low,
    },
    capsLock: (counter & CAPS_LOCK_BIT) !== 0,
  };
}

type Four = [number, number, number, number];

function formatCounters({ usageCounter, sessionUse, timestamp }: Counters, capsLock: boolean): string {
  const counter = usageCounter | (capsLock ? CAPS_LOCK_BIT : 0);
  return `OK counter=${hex(counter, 4)} low=${hex(timestamp & 0xffff, 4)} high=${hex(timestamp >>> 16, 2)} use=${hex(sessionUse, 2)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
