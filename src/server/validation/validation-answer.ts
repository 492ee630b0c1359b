import { YubikeyError } from '../../errors.js';
import { isRejection, type Status } from '../../protocol/status.js';
import type { ProtocolVersion, ValidationRequest } from '../../protocol/validation-request.js';
import type { ValidationResponse } from '../../protocol/validation-response.js';
import type { Verification } from '../../verifiers/verifier.js';

/** All servers that share a counter store know the same, so all of them agree. */
const SYNC_LEVEL_REACHED = 100;

/**
 * What a verdict is answered with: what protects it from being mistaken for another request's is echoed.
 *
 * @throws TypeError for what is no verdict, which a verifier of somebody's own may give.
 */
export function toResponse(request: ValidationRequest, verification: Verification): ValidationResponse {
  const { otp, nonce, timestamp } = request;
  if (verification.ok === true) {
    const counters = timestamp ? verification.identity.counters : undefined;
    return { status: 'OK', otp, nonce, sl: SYNC_LEVEL_REACHED, counters };
  }
  if (!isRejection(verification.reason)) throw new TypeError('The verifier gave no verdict');
  return verification.reason === 'BAD_OTP'
    ? { status: 'BAD_OTP' }
    : { status: verification.reason, otp, nonce };
}

/** What is answered where no verdict was reached: of faults of a service behind this one, those its client has to know. */
export function toErrorResponse(error: unknown, request: ValidationRequest | undefined): ValidationResponse {
  const code = error instanceof YubikeyError ? error.code : undefined;
  // The OTP is used up, so the answer says which.
  if (code === 'NOT_ENOUGH_ANSWERS') return { status: code, otp: request?.otp, nonce: request?.nonce };
  return { status: code === 'OPERATION_NOT_ALLOWED' ? code : 'BACKEND_ERROR' };
}

/** Statuses that protocol 1.x does not know, and what comes nearest there. */
const PROTOCOL_1_STATUSES: Partial<Record<Status, Status>> = {
  REPLAYED_REQUEST: 'REPLAYED_OTP',
  DELAYED_OTP: 'BAD_OTP',
  NOT_ENOUGH_ANSWERS: 'BACKEND_ERROR',
};

/** The answer in the words of a protocol: 1.x echoes nothing, and alone names the missing parameter. */
export function toProtocol(protocol: ProtocolVersion, response: ValidationResponse): ValidationResponse {
  const { status, otp, nonce, sl, counters, info } = response;
  if (protocol === '2.0') return { status, otp, nonce, sl, counters };
  return {
    status: PROTOCOL_1_STATUSES[status] ?? status,
    counters,
    info: status === 'MISSING_PARAMETER' ? info : undefined,
  };
}
