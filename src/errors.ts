import { assertOptional, type OptionNames } from './options.js';

/**
 * The stable part of a {@link YubikeyError}: what went wrong, for programs.
 *
 * Codes that a validation server sent keep the spelling of the protocol.
 */
export type YubikeyErrorCode =
  /** The input is not an OTP in any spelling that {@link parseOtp} knows. */
  | 'OTP_MALFORMED'
  /** No body parser ran before the route, so the request has no field that could hold the OTP. */
  | 'BODY_NOT_PARSED'
  /** None of the body parsers that ran accepts the request's Content-Type. */
  | 'UNSUPPORTED_MEDIA_TYPE'
  /** The connection failed or broke: refused, unknown host, reset. */
  | 'UNREACHABLE'
  /** No answer in time. */
  | 'TIMED_OUT'
  /** The server's certificate or TLS configuration was refused. */
  | 'TLS_FAILED'
  /** A proxy in front of the server refused the request: HTTP 403, 429 and other 4xx. */
  | 'REFUSED_BY_FRONT'
  /** The server, or a proxy in front of it, failed: HTTP 5xx. */
  | 'SERVER_FAILED'
  /** The server answered with a redirect. Redirects are never followed. */
  | 'REDIRECTED'
  /** The answer does not follow the protocol. */
  | 'ANSWER_MALFORMED'
  /** The answer is not authentic: its signature, or the echoed `otp` or `nonce`, is missing or wrong. */
  | 'ANSWER_FORGED'
  /** A server or a store received the OTP, but its answer was lost. The OTP may be used up: touch the key again. */
  | 'ANSWER_LOST'
  | 'NO_SUCH_CLIENT'
  | 'BAD_SIGNATURE'
  | 'OPERATION_NOT_ALLOWED'
  | 'MISSING_PARAMETER'
  | 'BACKEND_ERROR'
  | 'NOT_ENOUGH_ANSWERS'
  /** The caller's `AbortSignal` fired; its reason is the `cause`. */
  | 'ABORTED'
  /** The verifier was closed. */
  | 'CLOSED'
  /** A KSM could not decrypt the OTP, for a reason unrelated to the OTP itself. */
  | 'KSM_FAILED'
  /** A store failed or did not answer in time, and wrote nothing. Its error is the `cause`. */
  | 'STORE_FAILED'
  /** The store needs `migrate()`, or its schema is newer than this code. */
  | 'STORE_NOT_MIGRATED'
  /** The database would forget accepted OTPs in a crash, and `allowReplayAfterCrash` is not set. */
  | 'STORE_NOT_DURABLE'
  /** A secret is sealed with a master key that is not in the keyring. */
  | 'MASTER_KEY_UNKNOWN'
  /** A sealed secret does not open: it was edited, moved from another row, or sealed with another key. */
  | 'SEAL_BROKEN'
  /** A stored key cannot be used, such as an AES key that is not 16 bytes long. */
  | 'KEY_UNUSABLE'
  /** The private ID of the OTP was not compared, because the key was added without one and is not pinned yet. */
  | 'PRIVATE_ID_UNCHECKED'
  /** The verifier does not return the counters that are needed. */
  | 'COUNTERS_MISSING'
  /** Too many requests in a short time, by the limit for a client or a key. */
  | 'RATE_LIMITED'
  /** A verifier threw any other error, which is the `cause`. */
  | 'VERIFIER_FAILED'
  /** Users cannot be told apart, because `userId` returned neither a string nor a number. */
  | 'USER_ID_MISSING'
  /** `completeSecondFactor` ran where no second factor was verified in this request. */
  | 'SECOND_FACTOR_NOT_VERIFIED'
  /** The session is missing, or did not get a new ID when the second factor was verified. */
  | 'SESSION_NOT_ROTATED'
  /** A route needs a signed-in user. */
  | 'NOT_SIGNED_IN'
  /** A route needs a second factor, and the session has none that is still valid. */
  | 'SECOND_FACTOR_REQUIRED';

/** What one server answered, or why it gave no answer: a detail of a failed verification. */
export interface ServerFault {
  /** The URL as configured. */
  readonly server: string;
  readonly code: YubikeyErrorCode;
  /** One sentence for the operator. */
  readonly message: string;
  /** Whether the answer is authentic: signed with the API key or, without an API key, sent over TLS. */
  readonly authenticated: boolean;
}

export interface YubikeyErrorOptions {
  cause?: unknown;
  /** One entry for each server that was asked. */
  servers?: readonly ServerFault[] | undefined;
}

const OPTION_NAMES: OptionNames<YubikeyErrorOptions> = {
  cause: true,
  servers: true,
};

const HTTP_STATUS: Record<YubikeyErrorCode, number> = {
  OTP_MALFORMED: 400,
  BODY_NOT_PARSED: 500,
  UNSUPPORTED_MEDIA_TYPE: 415,
  UNREACHABLE: 503,
  TIMED_OUT: 503,
  TLS_FAILED: 503,
  REFUSED_BY_FRONT: 503,
  SERVER_FAILED: 503,
  REDIRECTED: 503,
  ANSWER_MALFORMED: 503,
  ANSWER_FORGED: 503,
  ANSWER_LOST: 503,
  NO_SUCH_CLIENT: 500,
  BAD_SIGNATURE: 500,
  OPERATION_NOT_ALLOWED: 500,
  MISSING_PARAMETER: 500,
  BACKEND_ERROR: 503,
  NOT_ENOUGH_ANSWERS: 503,
  ABORTED: 503,
  CLOSED: 500,
  KSM_FAILED: 503,
  STORE_FAILED: 503,
  STORE_NOT_MIGRATED: 500,
  STORE_NOT_DURABLE: 500,
  MASTER_KEY_UNKNOWN: 500,
  SEAL_BROKEN: 500,
  KEY_UNUSABLE: 500,
  PRIVATE_ID_UNCHECKED: 500,
  COUNTERS_MISSING: 500,
  RATE_LIMITED: 429,
  VERIFIER_FAILED: 503,
  USER_ID_MISSING: 500,
  SECOND_FACTOR_NOT_VERIFIED: 500,
  SESSION_NOT_ROTATED: 500,
  NOT_SIGNED_IN: 401,
  SECOND_FACTOR_REQUIRED: 403,
};

/** Marks the errors of every copy of this package. The version is that of the properties that they promise. */
const BRAND = Symbol.for('passport-yubikey-otp.YubikeyError.v1');

/**
 * The error that this package throws for everything except wrong arguments, which are a `TypeError`.
 *
 * `code` is stable. `message` is for the operator and contains no secret. `status` is the HTTP status that a web
 * application should answer with: 400 for a malformed OTP, 401 and 403 from `requireSecondFactor`, 415 for a body
 * that is neither a form nor JSON, 429 for too many requests, 500 if the configuration must change, 503 if trying
 * again may help. A refused OTP is a verdict, not an error.
 *
 * `instanceof YubikeyError` also holds for the errors of another copy of this package in the process.
 */
export class YubikeyError extends Error {
  override readonly name = 'YubikeyError';
  readonly code: YubikeyErrorCode;
  readonly status: number;
  /** What happened at each server that was asked; empty if none was. */
  readonly servers: readonly ServerFault[];

  constructor(code: YubikeyErrorCode, message: string, options: YubikeyErrorOptions = {}) {
    assertOptional('YubikeyError', options, OPTION_NAMES);
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    // Programs in JavaScript may have codes of their own.
    this.status = HTTP_STATUS[code] ?? 503;
    this.servers = options.servers ?? [];
  }

  /** @internal A subclass keeps the usual meaning of `instanceof`. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: `this` is the class right of `instanceof`, which may be a subclass
    return super[Symbol.hasInstance](value) || (this === YubikeyError && isBranded(value));
  }

  // On the prototype, so that logs, JSON and copies of the properties do not have it.
  static {
    Object.defineProperty(YubikeyError.prototype, BRAND, { value: true });
  }
}

/** Only an error counts, of whatever realm: a plain object with the symbol has no stack. */
function isBranded(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object Error]' && BRAND in (value as Error);
}
