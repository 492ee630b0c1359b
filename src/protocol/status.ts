import type { YubikeyErrorCode } from '../errors.js';

/** Why an OTP was refused. */
export type Rejection = 'BAD_OTP' | 'REPLAYED_OTP' | 'REPLAYED_REQUEST' | 'DELAYED_OTP';

/** Statuses without a verdict: a fault of the request, the configuration or the server. */
export type FaultStatus =
  | 'BAD_SIGNATURE'
  | 'MISSING_PARAMETER'
  | 'NO_SUCH_CLIENT'
  | 'OPERATION_NOT_ALLOWED'
  | 'BACKEND_ERROR'
  | 'NOT_ENOUGH_ANSWERS';

/** What an answer says of an OTP (validation protocol 2.0, "Response"): OK, a refusal, or a fault. */
export type Status = 'OK' | Rejection | FaultStatus;

interface StatusRow<Kind> {
  readonly kind: Kind;
  /**
   * Whether an answer repeats OTP and nonce. `always`: an answer of protocol 2.0 that does not is forged. `ours`: our
   * server does, and others may.
   */
  readonly echo: 'always' | 'ours' | 'never';
  /** What a server of protocol 1.x answers instead, if that protocol does not have the status. */
  readonly inProtocol1: StatusOfProtocol1;
}

interface VerdictRow<Kind> extends StatusRow<Kind> {
  /**
   * When this verdict of one server of a pool counts for all. `immediately`. `unless-ours`: immediately, unless an
   * earlier request of the same verification may have caused it. `after-settling`: unless another server says OK within
   * the settle time. `last`: only if no other server is left to ask.
   */
  readonly decides: 'immediately' | 'unless-ours' | 'after-settling' | 'last';
}

interface FaultRow<Code extends YubikeyErrorCode> extends StatusRow<'fault'> {
  readonly code: Code;
  /** The lowest rank of all faults names the error of a verification. The scale is in `verifiers/cloud/outcome.ts`. */
  readonly rank: number;
  /** For the operator of the client. */
  readonly explanation: string;
  /** Whether the same request may succeed later. */
  readonly retry: boolean;
  /** Whether the server has used up the OTP. */
  readonly usesUp: 'no' | 'maybe' | 'yes';
  /** Whether our server passes on this fault of a service behind it. It reports others as its own BACKEND_ERROR. */
  readonly passedOn: boolean;
}

/** Protocols 1.0 and 1.1 are final. */
type StatusOfProtocol1 =
  | 'OK'
  | 'BAD_OTP'
  | 'REPLAYED_OTP'
  | 'BAD_SIGNATURE'
  | 'MISSING_PARAMETER'
  | 'NO_SUCH_CLIENT'
  | 'OPERATION_NOT_ALLOWED'
  | 'BACKEND_ERROR';

type StatusTable = {
  readonly [S in Status]: S extends FaultStatus
    ? FaultRow<S>
    : VerdictRow<S extends Rejection ? 'rejection' : 'acceptance'>;
};

/** The statuses of validation protocol 2.0, and all that a client and a server need to know about each of them. */
export const STATUSES: StatusTable = {
  OK: {
    kind: 'acceptance',
    echo: 'always',
    decides: 'immediately',
    inProtocol1: 'OK',
  },
  BAD_OTP: {
    kind: 'rejection',
    echo: 'never',
    decides: 'after-settling',
    inProtocol1: 'BAD_OTP',
  },
  REPLAYED_OTP: {
    kind: 'rejection',
    echo: 'always',
    // Some servers answer a repeated request with this status instead of REPLAYED_REQUEST.
    decides: 'unless-ours',
    inProtocol1: 'REPLAYED_OTP',
  },
  REPLAYED_REQUEST: {
    kind: 'rejection',
    echo: 'always',
    decides: 'last',
    inProtocol1: 'REPLAYED_OTP',
  },
  DELAYED_OTP: {
    kind: 'rejection',
    echo: 'ours',
    decides: 'after-settling',
    inProtocol1: 'BAD_OTP',
  },
  BAD_SIGNATURE: {
    kind: 'fault',
    code: 'BAD_SIGNATURE',
    rank: 10,
    explanation: 'the apiKey does not belong to the clientId',
    retry: false,
    usesUp: 'no',
    passedOn: false,
    echo: 'never',
    inProtocol1: 'BAD_SIGNATURE',
  },
  MISSING_PARAMETER: {
    kind: 'fault',
    code: 'MISSING_PARAMETER',
    rank: 13,
    explanation: 'a parameter is missing from the request',
    retry: false,
    usesUp: 'no',
    passedOn: false,
    echo: 'never',
    inProtocol1: 'MISSING_PARAMETER',
  },
  NO_SUCH_CLIENT: {
    kind: 'fault',
    code: 'NO_SUCH_CLIENT',
    rank: 11,
    explanation:
      'the server does not know the clientId; a new one takes up to five minutes to reach all servers',
    retry: false,
    usesUp: 'no',
    passedOn: false,
    echo: 'never',
    inProtocol1: 'NO_SUCH_CLIENT',
  },
  OPERATION_NOT_ALLOWED: {
    kind: 'fault',
    code: 'OPERATION_NOT_ALLOWED',
    rank: 12,
    explanation: 'the client may not verify OTPs',
    retry: false,
    usesUp: 'no',
    passedOn: true,
    echo: 'never',
    inProtocol1: 'OPERATION_NOT_ALLOWED',
  },
  BACKEND_ERROR: {
    kind: 'fault',
    code: 'BACKEND_ERROR',
    rank: 30,
    explanation: 'the server failed',
    retry: true,
    usesUp: 'maybe',
    passedOn: true,
    echo: 'never',
    inProtocol1: 'BACKEND_ERROR',
  },
  NOT_ENOUGH_ANSWERS: {
    kind: 'fault',
    code: 'NOT_ENOUGH_ANSWERS',
    rank: 0,
    explanation: 'too few other servers agreed in time, and the OTP is used up: touch the key again',
    retry: false,
    usesUp: 'yes',
    passedOn: true,
    echo: 'ours',
    inProtocol1: 'BACKEND_ERROR',
  },
};

export function isStatus(text: unknown): text is Status {
  return typeof text === 'string' && Object.hasOwn(STATUSES, text);
}

export function isRejection(text: unknown): text is Rejection {
  return isStatus(text) && STATUSES[text].kind === 'rejection';
}

export function isFaultStatus(text: unknown): text is FaultStatus {
  return isStatus(text) && STATUSES[text].kind === 'fault';
}
