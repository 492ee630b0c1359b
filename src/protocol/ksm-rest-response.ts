import { formatCounterFields, MAX_COUNTER_FIELDS, readCounterFields } from '../otp/counter-fields.js';
import type { Counters } from '../otp/counters.js';
import { MalformedResponse } from './validation-response.js';

/**
 * The errors that the REST protocol of a KSM returns for an OTP, with the HTTP status and the message of each (KSM REST
 * API, "Error Codes").
 */
export const KSM_REST_ERRORS = {
  INVALID_OTP: [400, 'OTP format is invalid'],
  KEY_NOT_FOUND: [404, 'Key not found'],
  REPLAY_DETECTED: [409, 'OTP has already been used'],
  DECRYPTION_FAILED: [422, 'OTP decryption failed'],
  /** For the first OTP of a key without a private ID. The reference server decrypts it instead. */
  PRIVATE_ID_UNKNOWN: [422, 'The private ID of this key is not known yet: touch the key again'],
  STORAGE_ERROR: [500, 'The database failed'],
} as const satisfies Record<string, readonly [httpStatus: number, message: string]>;

/** The only length of a public ID that the REST API accepts as a key ID (KSM REST API, "Error Codes"). */
export const KEY_ID_LENGTH = 12;

/** The code of an error of the REST protocol. */
export type KsmRestError = keyof typeof KSM_REST_ERRORS;

/** A KSM's answer to `POST /api/v1/decrypt` with the JSON `{ "otp": … }`. */
export type KsmRestResponse =
  | {
      readonly ok: true;
      readonly publicId: string;
      readonly counters: Counters;
      readonly capsLock: boolean;
      /** The field `private_id_checked`, which the reference server does not send. */
      readonly privateIdChecked: boolean;
    }
  | { readonly ok: false; readonly error: KsmRestError };

/**
 * Writes an answer as the reference server does (KSM REST API, "Decrypt OTP"), with `private_id_checked` in addition.
 *
 * @returns The HTTP status, and the JSON text of the body.
 * @throws RangeError for counters that no OTP can have.
 */
export function formatKsmRestResponse(
  response: KsmRestResponse,
  at: Date,
): { httpStatus: number; text: string } {
  if (!response.ok) {
    const [httpStatus, message] = KSM_REST_ERRORS[response.error];
    return {
      httpStatus,
      text: JSON.stringify({ status: 'ERROR', error_code: response.error, message }),
    };
  }
  const { counter, low, high, use } = formatCounterFields(response.counters, response.capsLock);
  return {
    httpStatus: 200,
    text: JSON.stringify({
      status: 'OK',
      key_id: response.publicId,
      counter,
      timestamp_low: low,
      timestamp_high: high,
      session_use: use,
      decrypted_at: formatRestTime(at),
      private_id_checked: response.privateIdChecked,
    }),
  };
}

/** Formats a time as the REST API does, in whole seconds. */
export function formatRestTime(at: Date): string {
  return at.toISOString().replace(/\.\d+Z$/, 'Z');
}

/**
 * Reads an answer. Returns undefined for an error that is not of this protocol, such as that of a proxy in front of the
 * KSM. Check that `publicId` is the one of your OTP.
 *
 * @throws MalformedResponse, also if the HTTP status and the text contradict each other.
 */
export function parseKsmRestResponse(httpStatus: number, text: string): KsmRestResponse | undefined {
  const body = parseJsonObject(text);
  if (httpStatus === 200) return readSuccess(body);
  const error = body.status === 'ERROR' ? body.error_code : undefined;
  if (!isKsmRestError(error)) return undefined;
  if (KSM_REST_ERRORS[error][0] !== httpStatus) {
    throw new MalformedResponse(`The answer is ${error}, which does not match HTTP ${httpStatus}`);
  }
  return { ok: false, error };
}

function readSuccess(body: Record<string, unknown>): KsmRestResponse {
  if (body.status !== 'OK') throw new MalformedResponse('The answer to a decryption has no status OK');
  if (typeof body.key_id !== 'string') throw new MalformedResponse('The answer has no key_id');
  const { counters, capsLock } = readCounterFields({
    counter: readNumber(body, 'counter', MAX_COUNTER_FIELDS.counter),
    low: readNumber(body, 'timestamp_low', MAX_COUNTER_FIELDS.low),
    high: readNumber(body, 'timestamp_high', MAX_COUNTER_FIELDS.high),
    use: readNumber(body, 'session_use', MAX_COUNTER_FIELDS.use),
  });
  const privateIdChecked = body.private_id_checked === true;
  return { ok: true, publicId: body.key_id, counters, capsLock, privateIdChecked };
}

function readNumber(body: Record<string, unknown>, name: string, most: number): number {
  const value = body[name];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > most) {
    throw new MalformedResponse(`${name} is not a whole number from 0 to ${most}`);
  }
  return value;
}

/** Returns an empty object for text that is not a JSON object. */
function parseJsonObject(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

function isKsmRestError(text: unknown): text is KsmRestError {
  return typeof text === 'string' && Object.hasOwn(KSM_REST_ERRORS, text);
}
