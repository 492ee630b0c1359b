import { type ServerFault, YubikeyError } from '../../errors.js';
import { type FaultStatus, isFaultStatus, STATUSES } from '../../protocol/status.js';
import type { CloudFault } from './cloud-fault.js';

export interface CloudServerFault extends ServerFault {
  readonly code: CloudFault['code'];
}

type RankedFault = Pick<CloudFault, 'code' | 'authenticated'>;

/**
 * The ranks of faults that are not statuses, whose ranks are in their table. If servers fail differently, the fault of
 * the lowest rank gives the error its code. From 0: the OTP is used up. From 10: the operator must change the client.
 * From 20: something stands between client and server. From 30: the fault may pass by itself.
 */
const RANKS: Record<Exclude<CloudFault['code'], FaultStatus>, number> = {
  ANSWER_LOST: 1,
  ANSWER_FORGED: 20,
  TLS_FAILED: 21,
  REFUSED_BY_FRONT: 22,
  REDIRECTED: 23,
  ANSWER_MALFORMED: 24,
  SERVER_FAILED: 31,
  TIMED_OUT: 32,
  UNREACHABLE: 33,
};

/** Ranks authentic faults before all others. */
function rankFault({ code, authenticated }: RankedFault): number {
  return (isFaultStatus(code) ? STATUSES[code].rank : RANKS[code]) + (authenticated ? 0 : 100);
}

export function moreTelling<F extends RankedFault>(first: F, next: F): F {
  return rankFault(next) < rankFault(first) ? next : first;
}

/** Whether a server says that it accepted the OTP, which is not enough for OK. */
export function isUsedUp({ code, authenticated }: RankedFault): boolean {
  return authenticated && isFaultStatus(code) && STATUSES[code].usesUp === 'yes';
}

export function noVerdict(servers: readonly CloudServerFault[]): YubikeyError {
  const { code } = servers.reduce(moreTelling);
  const details = servers.map(({ server, message }) => `${server}: ${message}`).join('; ');
  return new YubikeyError(code, `No validation server gave a verdict: ${details}`, { servers });
}
