import { assertOptional, type OptionNames } from './options.js';

/**
 * What went wrong, for programs: the stable part of a {@link YubikeyError}.
 *
 * Statuses of the validation protocol keep the protocol's spelling; such a fault is what a server said.
 */
export type YubikeyErrorCode =
  /** The input is not an OTP, in any spelling {@link parseOtp} knows. */
  | 'OTP_MALFORMED'
  /** No body parser ran before the route, so there is no field to take the OTP from. */
  | 'BODY_NOT_PARSED'
  /** No body parser that ran takes the request's Content-Type. */
  | 'UNSUPPORTED_MEDIA_TYPE'
  /** No connection, or it broke: refused, unknown host, reset. */
  | 'UNREACHABLE'
  /** No answer in time. */
  | 'TIMED_OUT'
  /** The server's certificate or TLS set-up was refused. */
  | 'TLS_FAILED'
  /** Something in front of the server refused the request: HTTP 403, 429 and other 4xx. */
  | 'REFUSED_BY_FRONT'
  /** The server, or something in front of it, failed: HTTP 5xx. */
  | 'SERVER_FAILED'
  /** The server redirects, which is never followed. */
  | 'REDIRECTED'
  /** The answer does not follow the protocol. */
  | 'ANSWER_MALFORMED'
  /** The answer is not authentic: its signature, or the `otp` or `nonce` it echoes, is missing or wrong. */
  | 'ANSWER_FORGED'
  /** A server or a store was given the OTP and its answer is lost: the OTP may be used up, touch the key again. */
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
  /** A KSM could not decrypt, for a reason that says nothing about the OTP. */
  | 'KSM_FAILED'
  /** A store failed or did not answer in time, and nothing was written; its error is the `cause`. */
  | 'STORE_FAILED'
  /** A store was opened without `migrate()`, or its schema is newer than this code. */
  | 'STORE_NOT_MIGRATED'
  /** A database would forget accepted OTPs in a crash, and `allowReplayAfterCrash` is not set. */
  | 'STORE_NOT_DURABLE'
  /** A secret is sealed with a master key that is not in the keyring. */
  | 'MASTER_KEY_UNKNOWN'
  /** A sealed secret does not open: edited, moved from another row, or sealed with another key. */
  | 'SEAL_BROKEN'
  /** A stored key cannot be used, such as an AES key that is not 16 bytes long. */
  | 'KEY_UNUSABLE'
  /** The private ID of the OTP was not compared, since the key was added without one and is not pinned yet. */
  | 'PRIVATE_ID_UNCHECKED'
  /** Counters are needed, and the verifier does not tell them. */
  | 'COUNTERS_MISSING'
  /** Too many requests in a short time: a limit that was set for a client or a key. */
  | 'RATE_LIMITED'
  /** Any other error that a verifier threw; it is the `cause`. */
  | 'VERIFIER_FAILED'
  /** Users cannot be told apart: `userId` gave neither a string nor a number. */
  | 'USER_ID_MISSING'
  /** `completeSecondFactor` ran where no second factor was verified in this request. */
  | 'SECOND_FACTOR_NOT_VERIFIED'
  /** The session is missing, or was not rotated when the second factor was verified. */
  | 'SESSION_NOT_ROTATED'
  /** A route needs a signed-in user. */
  | 'NOT_SIGNED_IN'
  /** A route needs a second factor that the session does not have, or no longer. */
  | 'SECOND_FACTOR_REQUIRED';

/** What one server answered, or why it did not: the detail of a failed verification. */
export interface ServerFault {
  /** The URL as configured. */
  readonly server: string;
  readonly code: YubikeyErrorCode;
  /** One sentence, for the operator. */
  readonly message: string;
  /** Whether the server proved that it said so: with the API key, or by TLS where there is none. */
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

const HTTP_STATUS: Partial<Record<YubikeyErrorCode, number>> = {
  OTP_MALFORMED: 400,
  BODY_NOT_PARSED: 500,
  UNSUPPORTED_MEDIA_TYPE: 415,
  NO_SUCH_CLIENT: 500,
  BAD_SIGNATURE: 500,
  OPERATION_NOT_ALLOWED: 500,
  MISSING_PARAMETER: 500,
  STORE_NOT_MIGRATED: 500,
  STORE_NOT_DURABLE: 500,
  MASTER_KEY_UNKNOWN: 500,
  SEAL_BROKEN: 500,
  KEY_UNUSABLE: 500,
  PRIVATE_ID_UNCHECKED: 500,
  COUNTERS_MISSING: 500,
  CLOSED: 500,
  USER_ID_MISSING: 500,
  SECOND_FACTOR_NOT_VERIFIED: 500,
  SESSION_NOT_ROTATED: 500,
  RATE_LIMITED: 429,
  NOT_SIGNED_IN: 401,
  SECOND_FACTOR_REQUIRED: 403,
};

/**
 * The one error this package throws for anything but a wrong argument (`TypeError`).
 *
 * `code` is stable, `message` is for the operator and holds no secret, `status` is the HTTP status a web
 * application should answer with: 400 malformed OTP, 401 and 403 from `requireSecondFactor`, 415 a body that is
 * neither a form nor JSON, 429 too many requests, 500 where the configuration must change, 503 where trying again
 * may help. A refused OTP is not an error: it is a verdict.
 */
export class YubikeyError extends Error {
  override readonly name = 'YubikeyError';
  readonly code: YubikeyErrorCode;
  readonly status: number;
  /** What became of each server that was asked; empty where no server was. */
  readonly servers: readonly ServerFault[];

  constructor(code: YubikeyErrorCode, message: string, options: YubikeyErrorOptions = {}) {
    assertOptional('YubikeyError', options, OPTION_NAMES);
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.status = HTTP_STATUS[code] ?? 503;
    this.servers = options.servers ?? [];
  }
}
