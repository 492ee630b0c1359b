import { formatCounterFields, readCounterFields } from '../otp/counter-fields.js';
import type { Counters } from '../otp/counters.js';
import { MalformedResponse } from './validation-response.js';

/** The errors of the KSM protocol (`wsapi`), as they stand in an answer (OTP decryption protocol, "Response"). */
export const KSM_ERRORS = {
  noOtp: 'No OTP provided',
  invalidOtp: 'Invalid OTP format',
  unknownKey: 'Unknown yubikey',
  /** The REST reference server's word for `unknownKey`. */
  keyNotFound: 'Key not found',
  corruptOtp: 'Corrupt OTP',
  databaseError: 'Database error',
  // Errors that only the KSM of this package returns.
  replayedOtp: 'Replayed OTP',
  privateIdUnknown: 'Private ID unknown',
} as const;

/** A KSM's answer to `GET /wsapi/decrypt/?otp=`. The error is one of {@link KSM_ERRORS}, or another KSM's own text. */
export type KsmResponse =
  | { readonly ok: true; readonly counters: Counters; readonly capsLock: boolean }
  | { readonly ok: false; readonly error: string };

const OK = /^OK counter=([0-9a-f]{4}) low=([0-9a-f]{4}) high=([0-9a-f]{2}) use=([0-9a-f]{2})$/;
const ERROR = /^ERR ([!-~](?:[ -~]{0,198}[!-~])?)$/;

/**
 * Writes an answer as yubikey-ksm does: one line, whose counter includes the caps-lock bit of the token. It goes with
 * HTTP 200, errors too.
 *
 * @throws RangeError for counters that no OTP can have, TypeError for an error that is not up to 200 characters of
 * printable ASCII.
 */
export function formatKsmResponse(response: KsmResponse): string {
  if (response.ok) {
    const { counter, low, high, use } = formatCounterFields(response.counters, response.capsLock);
    return `OK counter=${hex(counter, 4)} low=${hex(low, 4)} high=${hex(high, 2)} use=${hex(use, 2)}\n`;
  }
  const line = `ERR ${response.error}`;
  if (!ERROR.test(line)) throw new TypeError("A KSM's error must be 1 to 200 characters of printable ASCII");
  return `${line}\n`;
}

/**
 * Reads an answer: one line, with or without its line break. Numbers must have all their digits, so that a truncated
 * answer is refused.
 *
 * @throws MalformedResponse
 */
export function parseKsmResponse(text: string): KsmResponse {
  const line = text.replace(/\r?\n$/, '');
  const error = ERROR.exec(line)?.[1];
  if (error !== undefined) return { ok: false, error };
  const fields = OK.exec(line);
  if (!fields) throw new MalformedResponse('The answer does not follow the KSM protocol');
  const [counter, low, high, use] = fields.slice(1).map((digits) => Number.parseInt(digits, 16)) as Four;
  return { ok: true, ...readCounterFields({ counter, low, high, use }) };
}

type Four = [number, number, number, number];

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
