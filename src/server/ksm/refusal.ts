import { STATUS_CODES } from 'node:http';
import { YubikeyError } from '../../errors.js';
import { formatKsmResponse, KSM_ERRORS } from '../../protocol/ksm-response.js';
import { type Answer, json, text } from '../http.js';
import { faultOf, HttpFault } from '../http-fault.js';
import { KsmFault, type KsmFaultCode } from './ksm-fault.js';

/** What an error is answered with: a word of the KSM protocols, or else of HTTP. */
export function faultToAnswer(error: unknown): KsmFault | HttpFault {
  if (error instanceof KsmFault) return error;
  if (error instanceof HttpFault) return error.status === 400 ? new KsmFault('INVALID_JSON') : error;
  if (error instanceof YubikeyError && error.code === 'RATE_LIMITED') return faultOf(error);
  return new KsmFault('STORAGE_ERROR');
}

/** The error code of the REST API, or the name of the HTTP status in its style. */
export function codeOf(fault: KsmFault | HttpFault): string {
  if (fault instanceof KsmFault) return fault.code;
  return (STATUS_CODES[fault.status] ?? 'HTTP error').toUpperCase().replace(/\W+/g, '_');
}

export function restAnswerTo(fault: KsmFault | HttpFault): Answer {
  const { status, message } = fault;
  const headers = fault instanceof HttpFault ? fault.headers : undefined;
  return json(status, { status: 'ERROR', error_code: codeOf(fault), message }, headers);
}

const WORDS: Partial<Record<KsmFaultCode, string>> = {
  MISSING_OTP: KSM_ERRORS.noOtp,
  INVALID_OTP: KSM_ERRORS.invalidOtp,
  DECRYPTION_FAILED: KSM_ERRORS.corruptOtp,
  REPLAY_DETECTED: KSM_ERRORS.replayedOtp,
  PRIVATE_ID_UNKNOWN: KSM_ERRORS.privateIdUnknown,
};

/** One line, with HTTP 200 where the KSM protocol has a word for it. */
export function wsapiAnswerTo(fault: KsmFault | HttpFault, unknownKey: string): Answer {
  if (fault instanceof HttpFault) return text(fault.status, `ERR ${fault.message}\n`, fault.headers);
  const error = fault.code === 'KEY_NOT_FOUND' ? unknownKey : (WORDS[fault.code] ?? KSM_ERRORS.databaseError);
  return text(200, formatKsmResponse({ ok: false, error }));
}
