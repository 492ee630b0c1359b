import { YubikeyError } from '../../errors.js';
import { assertCounters } from '../../otp/counters.js';
import type { ProtocolVersion } from '../../protocol/paths.js';
import { isFaultStatus, isRejection, STATUSES, type Status } from '../../protocol/status.js';
import type { ValidationRequest } from '../../protocol/validation-request.js';
import type { ValidationResponse } from '../../protocol/validation-response.js';
import type { Verification } from '../../verifiers/verifier.js';

/** In percent. Servers that share a counter store always agree. */
const SYNC_LEVEL_REACHED = 100;

/**
 * Turns a verdict into a response. OTP and nonce are echoed, so that it cannot be mistaken for that to another request.
 *
 * @throws TypeError for an invalid verdict, and RangeError for counters that no OTP can have, which a custom verifier may
 * return.
 */
export function toResponse(request: ValidationRequest, verification: Verification): ValidationResponse {
  if (verification.ok === true) {
    const counters = request.timestamp ? verification.identity.counters : undefined;
    if (counters) assertCounters(counters);
    return { ...echo('OK', request), sl: SYNC_LEVEL_REACHED, counters };
  }
  if (!isRejection(verification.reason))
    throw new TypeError('The verifier returned something that is not a verdict');
  return echo(verification.reason, request);
}

/** Turns an error into a response. Errors of a service behind this one are passed on only if clients must know them. */
export function toErrorResponse(error: unknown, request: ValidationRequest | undefined): ValidationResponse {
  const code = error instanceof YubikeyError ? error.code : undefined;
  return echo(isFaultStatus(code) && STATUSES[code].passedOn ? code : 'BACKEND_ERROR', request);
}

function echo(status: Status, request: ValidationRequest | undefined): ValidationResponse {
  if (STATUSES[status].echo === 'never') return { status };
  return { status, otp: request?.otp.value, nonce: request?.nonce };
}

/** Adapts a response to a protocol version: 1.x echoes nothing, and only 1.x names the missing parameter. */
export function toProtocol(protocol: ProtocolVersion, response: ValidationResponse): ValidationResponse {
  const { status, otp, nonce, sl, counters, info } = response;
  if (protocol === '2.0') return { status, otp, nonce, sl, counters };
  return {
    status: STATUSES[status].inProtocol1,
    counters,
    info: status === 'MISSING_PARAMETER' ? info : undefined,
  };
}
