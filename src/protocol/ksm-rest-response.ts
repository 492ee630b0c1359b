import type { Counters } from '../otp/counters.js';
import { readKsmCounters } from './ksm-response.js';
import { MalformedResponse } from './validation-response.js';

/** The errors that the REST protocol of a KSM returns for an OTP, and the HTTP status of each. */
export const KSM_REST_STATUSES = {
  INVALID_OTP: 400,
  KEY_NOT_FOUND: 404,
  REPLAY_DETECTED: 409,
  DECRYPTION_FAILED: 422,
  /** For the first OTP of a key without a private ID. The reference server decrypts it instead. */
  PRIVATE_ID_UNKNOWN: 422,
  STORAGE_ERROR: 500,
} as const;

export type KsmRestError = keyof typeof KSM_REST_STATUSES;

/** A KSM's answer in the REST protocol. */
export type KsmRestAnswer =
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
 * Reads an answer. Returns undefined for an error that no KSM sends: it comes from a proxy in front of the KSM.
 *
 * @throws MalformedResponse, also if the HTTP status and the text contradict each other.
 */
export function parseKsmRestResponse(httpStatus: number, text: string): KsmRestAnswer | undefined {
  const body = parseJsonObject(text);
  if (httpStatus === 200) return readSuccess(body);
  const error = body.status === 'ERROR' ? body.error_code : undefined;
  if (!isKsmRestError(error)) return undefined;
  if (KSM_REST_STATUSES[error] !== httpStatus) {
    throw new MalformedResponse(`The answer is ${error}, which does not match HTTP ${httpStatus}`);
  }
  return { ok: false, error };
}

function readSuccess(body: Record<string, unknown>): KsmRestAnswer {
  if (body.status !== 'OK') throw new MalformedResponse('The answer to a decryption has no status OK');
  if (typeof body.key_id !== 'string') throw new MalformedResponse('The answer has no key_id');
  const { counters, capsLock } = readKsmCounters(
    readNumber(body, 'counter', 0xffff),
    readNumber(body, 'timestamp_low', 0xffff),
    readNumber(body, 'timestamp_high', 0xff),
    readNumber(body, 'session_use', 0xff),
  );
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
  return typeof text === 'string' && Object.hasOwn(KSM_REST_STATUSES, text);
}
