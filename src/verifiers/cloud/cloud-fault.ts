import type { Fault } from '../../http/transport-fault.js';
import type { FaultStatus } from '../../protocol/status.js';
import type { ValidationResponse } from '../../protocol/validation-response.js';

/** Describes a status with which a server reports that it reached no verdict. */
export function toStatusFault(
  response: ValidationResponse & { status: FaultStatus },
  authenticated: boolean,
): Fault {
  const { status, info } = response;
  const doubt = authenticated ? '' : ' (not authenticated)';
  return {
    code: status,
    message: `${status}${doubt}: ${EXPLANATIONS[status]}${info ? ` [${info}]` : ''}`,
    authenticated,
    retry: status === 'BACKEND_ERROR',
    maybeAccepted: status === 'BACKEND_ERROR' || status === 'NOT_ENOUGH_ANSWERS',
  };
}

const EXPLANATIONS: Record<FaultStatus, string> = {
  BAD_SIGNATURE: 'the apiKey does not belong to the clientId',
  NO_SUCH_CLIENT:
    'the server does not know the clientId; a new one takes up to five minutes to reach all servers',
  OPERATION_NOT_ALLOWED: 'the client may not verify OTPs',
  MISSING_PARAMETER: 'a parameter is missing from the request',
  BACKEND_ERROR: 'the server failed',
  NOT_ENOUGH_ANSWERS: 'too few other servers agreed in time, and the OTP is used up: touch the key again',
};
