import { type ServerFault, YubikeyError } from '../../errors.js';
import { timedOut } from '../../http/transport-fault.js';
import { type FaultStatus, isFaultStatus, STATUSES } from '../../protocol/status.js';
import type { CloudVerdict } from './cloud-answer.js';
import type { CloudFault } from './cloud-fault.js';

// What the answers of all servers mean together, without a clock and without I/O.

/** What one server has answered in one verification. */
export interface ServerReport {
  readonly server: string;
  /** How often it was asked. */
  attempts: number;
  /** How many of these requests have no answer yet. */
  running: number;
  /** The most informative fault of all attempts. */
  fault: CloudFault | undefined;
  /** A replay that our own earlier request may have caused. */
  replay: CloudVerdict | undefined;
  /** Whether the server may have accepted one of our requests although its answer was lost. */
  maybeAccepted: boolean;
}

/** Notes a verdict, and tells when it decides. */
export function takeVerdict(
  report: ServerReport,
  verdict: CloudVerdict,
): 'immediately' | 'after-settling' | 'last' {
  const { decides } = STATUSES[verdict.status];
  if (decides === 'immediately' || decides === 'after-settling') return decides;
  const mayBeOurs = report.running > 0 || report.maybeAccepted;
  if (decides === 'unless-ours' && !mayBeOurs) return 'immediately';
  report.replay = verdict;
  return 'last';
}

export function takeFault(report: ServerReport, fault: CloudFault): void {
  report.fault = report.fault ? moreTelling(report.fault, fault) : fault;
  report.maybeAccepted ||= fault.maybeAccepted;
}

/** Notes that the time is up. */
export function takeTimeout(report: ServerReport, milliseconds: number): void {
  if (report.running === 0) return;
  report.fault ??= timedOut(milliseconds);
  report.maybeAccepted = true;
}

/**
 * The outcome once no more answers are to come.
 *
 * @param refusal The first verdict that decided only after settling.
 */
export function conclude(
  refusal: CloudVerdict | undefined,
  reports: readonly ServerReport[],
): CloudVerdict | YubikeyError {
  if (refusal) return refusal;
  const replay = reports.find((report) => report.replay)?.replay;
  if (!replay || reports.some(({ fault }) => fault && isUsedUp(fault))) {
    return noVerdict(listServerFaults(reports));
  }
  return reports.some(({ maybeAccepted }) => maybeAccepted) ? answerLost(reports) : replay;
}

/** Whether the server says that it used up the OTP, which is not enough for OK. */
function isUsedUp({ code, authenticated }: CloudFault): boolean {
  return authenticated && isFaultStatus(code) && STATUSES[code].usesUp === 'yes';
}

export interface CloudServerFault extends ServerFault {
  readonly code: CloudFault['code'];
}

/** The fault of a server that reported a replay, if no verdict was reached. */
const HAS_SEEN_IT = {
  code: 'ANSWER_LOST',
  message: 'it has seen the OTP before, perhaps in this very request',
  authenticated: true,
} as const;

function listServerFaults(reports: readonly ServerReport[]): CloudServerFault[] {
  return reports
    .filter(({ attempts }) => attempts > 0)
    .map(({ server, attempts, fault = HAS_SEEN_IT }) => toServerFault(server, fault, attempts));
}

export function toServerFault(
  server: string,
  { code, message, authenticated }: Pick<CloudFault, 'code' | 'message' | 'authenticated'>,
  attempts = 1,
): CloudServerFault {
  const times = attempts > 1 ? ` (${attempts} attempts)` : '';
  return { server, code, message: message + times, authenticated };
}

/** The error if no server gave a verdict. Its code is that of the most informative fault. */
export function noVerdict(servers: readonly CloudServerFault[]): YubikeyError {
  const { code } = servers.reduce(moreTelling);
  const details = servers.map(({ server, message }) => `${server}: ${message}`).join('; ');
  return new YubikeyError(code, `No validation server gave a verdict: ${details}`, { servers });
}

function answerLost(reports: readonly ServerReport[]): YubikeyError {
  const message =
    'A server accepted the OTP, but its answer was lost and the OTP is used up: touch the key again';
  return new YubikeyError('ANSWER_LOST', message, { servers: listServerFaults(reports) });
}

type RankedFault = Pick<CloudFault, 'code' | 'authenticated'>;

function moreTelling<F extends RankedFault>(first: F, next: F): F {
  return rankFault(next) < rankFault(first) ? next : first;
}

/** Ranks authentic faults before all others. */
function rankFault({ code, authenticated }: RankedFault): number {
  return (isFaultStatus(code) ? STATUSES[code].rank : RANKS[code]) + (authenticated ? 0 : 100);
}

/**
 * The ranks of the faults that are not statuses: theirs are in the table of statuses. If servers fail differently, the
 * fault of the lowest rank gives the error its code. From 0: the OTP is used up. From 10: the client is not set up
 * correctly. From 20: something stands between client and server. From 30: the fault may pass by itself.
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
