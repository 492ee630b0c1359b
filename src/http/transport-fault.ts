import type { YubikeyErrorCode } from '../errors.js';

/** What may go wrong below the protocol. */
export type TransportFaultCode =
  | 'UNREACHABLE'
  | 'TIMED_OUT'
  | 'TLS_FAILED'
  | 'REFUSED_BY_FRONT'
  | 'SERVER_FAILED'
  | 'REDIRECTED'
  | 'ANSWER_MALFORMED';

/** Why one request to one server gave no verdict. */
export interface Fault<Code extends YubikeyErrorCode = TransportFaultCode> {
  readonly code: Code;
  readonly message: string;
  readonly authenticated: boolean;
  /** Whether a retry with the same OTP and nonce may help. */
  readonly retry: boolean;
  /** Whether the server may nevertheless have accepted the OTP. */
  readonly maybeAccepted: boolean;
}

/** A fault below the protocol, not reported by the server itself. */
export class TransportFault extends Error implements Fault {
  readonly authenticated = false;
  constructor(
    readonly code: TransportFaultCode,
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

/** Classifies an error of a request that got no answer. */
export function toRequestFault(error: unknown): TransportFault {
  if (error instanceof TransportFault) return error;
  const {
    code: rawCode,
    name,
    message,
  } = error as { code?: unknown; name?: unknown; message?: string | undefined };
  const code = typeof rawCode === 'string' ? rawCode : '';
  const what = message || code || 'unknown error';
  if (TLS.test(code)) return new TransportFault('TLS_FAILED', `TLS failed: ${what}`, false, false);
  if (name === 'HTTPParserError' || NOT_HTTP.test(code)) {
    return new TransportFault('ANSWER_MALFORMED', `not HTTP: ${what}`, false, true);
  }
  if (NEVER_SENT.test(code)) return new TransportFault('UNREACHABLE', `unreachable: ${what}`, true, false);
  return new TransportFault('UNREACHABLE', `connection lost: ${what}`, true, true);
}

/** The fault of a request that got no answer in time. */
export function timedOut(milliseconds: number): TransportFault {
  return new TransportFault('TIMED_OUT', `no answer in ${milliseconds} ms`, true, true);
}

/** Classifies an HTTP status other than 200, which a proxy or a failing server sends. */
export function toHttpStatusFault(status: number): TransportFault {
  if (status >= 500) return new TransportFault('SERVER_FAILED', `HTTP ${status}`, true, true);
  if (status >= 400) return new TransportFault('REFUSED_BY_FRONT', `HTTP ${status}`, status === 429, false);
  if (status >= 300)
    return new TransportFault('REDIRECTED', `HTTP ${status}: redirects are not followed`, false, false);
  return new TransportFault('ANSWER_MALFORMED', `HTTP ${status} instead of 200`, false, true);
}

/** The maximum length of a fault's message, which may contain text from a server. */
const MAX_MESSAGE_LENGTH = 300;

/** Removes parts of the request from a fault's message, in case a server or a dispatcher repeated them. */
export function redactFault<Code extends YubikeyErrorCode>(
  parts: readonly string[],
  { code, message, authenticated, retry, maybeAccepted }: Fault<Code>,
): Fault<Code> {
  const redacted = message.replaceAll(new RegExp(parts.join('|'), 'gi'), '…').slice(0, MAX_MESSAGE_LENGTH);
  return { code, message: redacted, authenticated, retry, maybeAccepted };
}
