import { MAX_COUNTER_FIELDS, splitUsageField } from '../otp/counter-fields.js';
import {
  assertCounters,
  assertRange,
  type Counters,
  MAX_SESSION_USE,
  MAX_TIMESTAMP,
} from '../otp/counters.js';
import { type MessageParameters, signParameters } from './signature.js';
import { isStatus, type Status } from './status.js';
import { MAX_SYNC_LEVEL } from './validation-request.js';

/** The answer to a validation request (validation protocol 2.0, "Response"). */
export interface ValidationResponse {
  readonly status: Status;
  /** The OTP of the request, as the server read it: in lower case, whatever the keyboard layout was. */
  readonly otp?: string | undefined;
  /** The nonce of the request. */
  readonly nonce?: string | undefined;
  /** The percentage of other servers that agreed, 0 to 100. */
  readonly sl?: number | undefined;
  /** The counters of an accepted OTP, if the request has `timestamp`. */
  readonly counters?: Counters | undefined;
  /** In protocol 1.0, the parameter's name with MISSING_PARAMETER. */
  readonly info?: string | undefined;
}

/** Longer than any honest answer, which has about 250 bytes. */
export const MAX_RESPONSE_LENGTH = 8 * 1024;

/** Excludes line breaks, which would end the value early, and `&`, which would end it in the signed text. */
const VALUE = /^[^&\p{Cc}\p{Zl}\p{Zp}]*$/u;

/** Why a text is not an answer of the protocol. */
export class MalformedResponse extends Error {
  override readonly name = 'MalformedResponse';
}

/**
 * Writes an answer as the reference server does: `h` first, `t` second, `status` last, CRLF after each line,
 * then an empty line. The signature covers all other lines. Without an API key, it signs with the empty key, as the
 * reference server does for an unknown client.
 *
 * @param at The time of the answer, for `t`.
 * @throws TypeError for an unknown status, or text that could be read as more than one parameter. RangeError for a sync
 * level that is not a whole number from 0 to 100, and for counters that no OTP can have.
 */
export function formatValidationResponse(
  response: ValidationResponse,
  at: Date,
  apiKey: Uint8Array = new Uint8Array(),
): string {
  const parameters = new Map<string, string>([['t', formatTime(at)]]);
  const { otp, nonce, sl, counters, info, status } = response;
  if (otp !== undefined) parameters.set('otp', assertValue('otp', otp));
  if (nonce !== undefined) parameters.set('nonce', assertValue('nonce', nonce));
  if (sl !== undefined) {
    assertRange('sl', sl, MAX_SYNC_LEVEL);
    parameters.set('sl', String(sl));
  }
  if (counters) {
    assertCounters(counters);
    parameters.set('timestamp', String(counters.timestamp));
    parameters.set('sessioncounter', String(counters.usageCounter));
    parameters.set('sessionuse', String(counters.sessionUse));
  }
  if (info !== undefined) parameters.set('info', assertValue('info', info));
  if (!isStatus(status)) throw new TypeError('status must be a status of the validation protocol');
  parameters.set('status', status);
  let text = `h=${signParameters(parameters, apiKey)}\r\n`;
  for (const [key, value] of parameters) text += `${key}=${value}\r\n`;
  return `${text}\r\n`;
}

function assertValue(key: string, value: string): string {
  if (VALUE.test(value)) return value;
  throw new TypeError(`${key} contains a character that an answer cannot contain`);
}

/**
 * Splits an answer into its parameters: one `key=value` per line, CRLF or LF, in any order.
 *
 * Values stay unchanged, because signatures cover them as they are. It refuses a line without `=`, a repeated key,
 * control characters, and `&` in a value: otherwise the signed text could be split in more than one way, and one
 * answer could pass for another.
 *
 * @throws MalformedResponse
 */
export function parseResponseParameters(text: string): MessageParameters {
  if (text.length > MAX_RESPONSE_LENGTH) throw new MalformedResponse('The answer is too long');
  const parameters = new Map<string, string>();
  const lines = text.split(/\r?\n/);
  while (lines.length > 1 && lines.at(-1) === '') lines.pop();
  for (const line of lines) {
    const [, key, value] = /^([A-Za-z0-9_.-]+)=(.*)$/su.exec(line) ?? [];
    if (key === undefined || value === undefined || !VALUE.test(value)) {
      throw new MalformedResponse('A line of the answer is not key=value');
    }
    if (parameters.has(key)) throw new MalformedResponse('The answer has a key more than once');
    parameters.set(key, value);
  }
  return parameters;
}

/**
 * Reads the parameters of an answer.
 *
 * It does not check whether the answer is authentic. Before you trust it, `isSignedWith` must be true of the parameters,
 * and an answer `OK` or `REPLAYED_…` of protocol 2.0 must repeat the `otp` and the `nonce` of your request.
 *
 * @throws MalformedResponse for an unknown status, or a number out of its range.
 */
export function readValidationResponse(parameters: MessageParameters): ValidationResponse {
  const status = parameters.get('status');
  if (!isStatus(status)) throw new MalformedResponse('The answer has no status, or an unknown one');
  return {
    status,
    otp: parameters.get('otp'),
    nonce: parameters.get('nonce'),
    sl: readNumber(parameters, 'sl', MAX_SYNC_LEVEL),
    counters: readCounters(parameters),
    info: parameters.get('info'),
  };
}

function readCounters(parameters: MessageParameters): Counters | undefined {
  const timestamp = readNumber(parameters, 'timestamp', MAX_TIMESTAMP);
  const usageField = readNumber(parameters, 'sessioncounter', MAX_COUNTER_FIELDS.counter);
  const sessionUse = readNumber(parameters, 'sessionuse', MAX_SESSION_USE);
  if (timestamp === undefined || usageField === undefined || sessionUse === undefined) return undefined;
  return { usageCounter: splitUsageField(usageField).usageCounter, sessionUse, timestamp };
}

function readNumber(parameters: MessageParameters, key: string, most: number): number | undefined {
  const text = parameters.get(key);
  if (text === undefined || text === '') return undefined;
  if (!/^[0-9]{1,10}$/.test(text) || Number(text) > most)
    throw new MalformedResponse(`${key} is not a number from 0 to ${most}`);
  return Number(text);
}

/** UTC in the reference server's format: a literal `Z0`, then three digits of milliseconds. */
function formatTime(at: Date): string {
  const time = at.toISOString();
  return `${time.slice(0, -5)}Z0${time.slice(-4, -1)}`;
}
