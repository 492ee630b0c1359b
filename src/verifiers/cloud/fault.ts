import { errors } from 'undici';
import type { YubikeyErrorCode } from '../../errors.js';
import type { FaultStatus } from '../../protocol/status.js';
import type { ValidationResponse } from '../../protocol/validation-response.js';

/** Why one attempt at one server gave no verdict. */
export interface Fault {
  readonly code: YubikeyErrorCode;
  readonly message: string;
  readonly authenticated: boolean;
  /** Whether asking again, with the same OTP and nonce, may help. */
  readonly retry: boolean;
  /** Whether the server may have accepted the OTP all the same. */
  readonly maybeAccepted: boolean;
}

/** A fault below the protocol: nothing the server itself said. */
export class TransportFault extends Error implements Fault {
  readonly authenticated = false;
  constructor(
    readonly code: YubikeyErrorCode,
    message: string,
    readonly retry: boolean,
    readonly maybeAccepted: boolean,
  ) {
    super(message);
  }
}

const NEVER_SENT =
  /^(ECONNREFUSED|ENOTFOUND|EAI_\w+|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|UND_ERR_CONNECT_TIMEOUT)$/;
const TLS =
  /^(ERR_TLS_|ERR_SSL_|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_|ERROR_IN_|HOSTNAME_MISMATCH|EPROTO)/;
const NOT_HTTP = /^(UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES_)/;

/** Tells apart what a request can fail with before there is an answer. */
export function faultOfRequest(error: unknown): TransportFault {
  const { code: rawCode, message } = error as { code?: unknown; message?: string };
  const code = typeof rawCode === 'string' ? rawCode : '';
  const what = message || code || 'unknown error';
  if (TLS.test(code)) return new TransportFault('TLS_FAILED', `TLS failed: ${what}`, false, false);
  if (error instanceof errors.HTTPParserError || NOT_HTTP.test(code)) {
    return new TransportFault('ANSWER_MALFORMED', `not HTTP: ${what}`, false, true);
  }
  if (NEVER_SENT.test(code)) return new TransportFault('UNREACHABLE', `unreachable: ${what}`, true, false);
  return new TransportFault('UNREACHABLE', `connection lost: ${what}`, true, true);
}

/** An HTTP status that is not 200: said by something in front of the validation server, or by its failure. */
export function faultOfHttpStatus(status: number): TransportFault {
  if (status >= 500) return new TransportFault('SERVER_FAILED', `HTTP ${status}`, true, true);
  if (status >= 400) return new TransportFault('REFUSED_BY_FRONT', `HTTP ${status}`, status === 429, false);
  if (status >= 300)
    return new TransportFault('REDIRECTED', `HTTP ${status}: redirects are not followed`, false, false);
  return new TransportFault('ANSWER_MALFORMED', `HTTP ${status} instead of 200`, false, true);
}

/** The longest message of a fault, which may hold words of a server. */
const MAX_MESSAGE_LENGTH = 300;

/** A fault as it may be told: without the OTP, which a server or a dispatcher may have repeated. */
export function faultWithout(
  token: string,
  { code, message, authenticated, retry, maybeAccepted }: Fault,
): Fault {
  const told = message.replaceAll(new RegExp(token, 'gi'), '…').slice(0, MAX_MESSAGE_LENGTH);
  return { code, message: told, authenticated, retry, maybeAccepted };
}

/** A status that says the server reached no verdict. */
export function faultOfStatus(
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
  MISSING_PARAMETER: 'the server misses a parameter of the request',
  BACKEND_ERROR: 'the server failed',
  NOT_ENOUGH_ANSWERS: 'too few other servers agreed in time, and the OTP is used up: touch the key again',
};
