import { CAPS_LOCK_BIT, type Counters, MAX_USAGE_COUNTER } from '../otp/counters.js';
import { MalformedResponse } from './validation-response.js';

/** The answers of the KSM protocol (`wsapi`) and what they say. */
export const KSM_ERRORS = {
  noOtp: 'No OTP provided',
  invalidOtp: 'Invalid OTP format',
  unknownKey: 'Unknown yubikey',
  /** What the REST reference says for `unknownKey`. */
  keyNotFound: 'Key not found',
  corruptOtp: 'Corrupt OTP',
  databaseError: 'Database error',
  /** No KSM of others says these two. */
  replayedOtp: 'Replayed OTP',
  privateIdUnknown: 'Private ID unknown',
} as const;

/** What a KSM answers. An error is one of {@link KSM_ERRORS}, or in the words of another KSM. */
export type KsmAnswer =
  | { readonly ok: true; readonly counters: Counters; readonly capsLock: boolean }
  | { readonly ok: false; readonly error: string };

const OK = /^OK counter=([0-9a-f]{4}) low=([0-9a-f]{4}) high=([0-9a-f]{2}) use=([0-9a-f]{2})$/;
const ERROR = /^ERR ([!-~](?:[ -~]{0,198}[!-~])?)$/;

/** Writes an answer as the reference server does: one line, the counter with the caps-lock bit of the token. */
export function formatKsmResponse(answer: KsmAnswer): string {
  const line = answer.ok ? formatCounters(answer.counters, answer.capsLock) : `ERR ${answer.error}`;
  if (!OK.test(line) && !ERROR.test(line)) {
    throw new TypeError('A KSM answers with counters in their range, or with an error of printable ASCII');
  }
  return `${line}\n`;
}

/**
 * Reads an answer: one line, with its line break or without. Numbers have all their digits, so that an answer
 * cut short is none.
 *
 * @throws MalformedResponse
 */
export function parseKsmResponse(text: string): KsmAnswer {
  const line = text.replace(/\r?\n$/, '');
  const error = ERROR.exec(line)?.[1];
  if (error !== undefined) return { ok: false, error };
  const fields = OK.exec(line);
  if (!fields) throw new MalformedResponse('The answer is not one of the KSM protocol');
  const [counter, low, high, use] = fields.slice(1).map((digits) => Number.parseInt(digits, 16)) as Four;
  return { ok: true, ...readKsmCounters(counter, low, high, use) };
}

/** The fields that all KSM protocols tell an OTP's counters by. */
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
