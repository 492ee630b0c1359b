import { STATUS_CODES } from 'node:http';
import { YubikeyError } from '../../errors.js';
import { formatKsmResponse, KSM_ERRORS } from '../../protocol/ksm-response.js';
import { KSM_REST_ERRORS } from '../../protocol/ksm-rest-response.js';
import { jsonAnswer, type ListenerAnswer } from '../http.js';
import { HttpFault, toHttpFault } from '../http-fault.js';

/** HTTP status and message of each error code of the REST API (KSM REST API reference, "Error Codes"). */
const ERROR_CODES = {
  ...KSM_REST_ERRORS,
  INVALID_JSON: [400, 'Request body contains invalid JSON'],
  MISSING_KEY_ID: [400, 'Key ID field is required'],
  MISSING_AES_KEY: [400, 'AES key field is required'],
  INVALID_KEY_ID_LENGTH: [400, 'Key ID must be exactly 12 characters'],
  INVALID_KEY_ID_FORMAT: [400, 'Key ID contains invalid modhex characters'],
  INVALID_AES_KEY_FORMAT: [400, 'AES key format is invalid (not hex or base64)'],
  INVALID_AES_KEY_LENGTH: [400, 'AES key must be exactly 16 bytes'],
  // Additions to the reference.
  INVALID_PRIVATE_ID: [400, 'Private ID must be 12 hexadecimal digits'],
  INVALID_DESCRIPTION: [400, 'Description must be text of up to 1000 characters without control characters'],
  INVALID_PAGE: [400, 'limit must be 1 to 1000, and after must be a key ID'],
  KEY_EXISTS: [409, 'A key with this key ID exists already'],
  // Only `wsapi` returns this error.
  MISSING_OTP: [200, 'No OTP provided'],
} as const satisfies Record<string, readonly [number, string]>;

export type KsmFaultCode = keyof typeof ERROR_CODES;

/** A refusal by the KSM, identified by an error code of the REST API. */
export class KsmFault extends Error {
  override readonly name = 'KsmFault';
  readonly status: number;

  constructor(readonly code: KsmFaultCode) {
    super(ERROR_CODES[code][1]);
    this.status = ERROR_CODES[code][0];
  }
}

/** Turns any error into one that can be sent: with an error code of the KSM, or else with a status code of HTTP. */
export function toAnswerableFault(error: unknown): KsmFault | HttpFault {
  if (error instanceof KsmFault) return error;
  if (error instanceof HttpFault) return error.status === 400 ? new KsmFault('INVALID_JSON') : error;
  if (error instanceof YubikeyError && error.code === 'RATE_LIMITED') return toHttpFault(error);
  return new KsmFault('STORAGE_ERROR');
}

/** Returns the error code of the REST API, or the name of the HTTP status in the same style. */
export function restErrorCode(fault: KsmFault | HttpFault): string {
  if (fault instanceof KsmFault) return fault.code;
  return (STATUS_CODES[fault.status] ?? 'HTTP error').toUpperCase().replace(/\W+/g, '_');
}

export function formatRestFault(fault: KsmFault | HttpFault): ListenerAnswer {
  const { status, message } = fault;
  const headers = fault instanceof HttpFault ? fault.headers : undefined;
  return jsonAnswer(status, { status: 'ERROR', error_code: restErrorCode(fault), message }, headers);
}

const WSAPI_ERRORS: Partial<Record<KsmFaultCode, string>> = {
  MISSING_OTP: KSM_ERRORS.noOtp,
  INVALID_OTP: KSM_ERRORS.invalidOtp,
  DECRYPTION_FAILED: KSM_ERRORS.corruptOtp,
  REPLAY_DETECTED: KSM_ERRORS.replayedOtp,
  PRIVATE_ID_UNKNOWN: KSM_ERRORS.privateIdUnknown,
};

/** One line; the HTTP status is 200 for errors that the KSM protocol has a message for. */
export function formatWsapiFault(fault: KsmFault | HttpFault, unknownKey: string): ListenerAnswer {
  if (fault instanceof HttpFault) {
    return { status: fault.status, body: `ERR ${fault.message}\n`, headers: fault.headers };
  }
  const error =
    fault.code === 'KEY_NOT_FOUND' ? unknownKey : (WSAPI_ERRORS[fault.code] ?? KSM_ERRORS.databaseError);
  return { status: 200, body: formatKsmResponse({ ok: false, error }) };
}
