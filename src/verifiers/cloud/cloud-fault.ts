import type { Fault, TransportFaultCode } from '../../http/transport-fault.js';
import { type FaultStatus, STATUSES } from '../../protocol/status.js';

/** Why one validation server gave no verdict. */
export type CloudFault = Fault<TransportFaultCode | FaultStatus | 'ANSWER_FORGED' | 'ANSWER_LOST'>;

/** Describes a status with which a server reports that it reached no verdict. */
export function toStatusFault(
  status: FaultStatus,
  info: string | undefined,
  authenticated: boolean,
): CloudFault {
  const { code, explanation, retry, usesUp } = STATUSES[status];
  const doubt = authenticated ? '' : ' (not authenticated)';
  return {
    code,
    message: `${status}${doubt}: ${explanation}${info ? ` [${info}]` : ''}`,
    authenticated,
    retry,
    maybeAccepted: usesUp !== 'no',
  };
}
