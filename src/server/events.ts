import type { ProtocolVersion } from '../protocol/paths.js';
import type { Status } from '../protocol/status.js';

/** One answer of a validation service, for logs and metrics. It contains no secrets. */
export interface VerificationEvent {
  readonly protocol: ProtocolVersion;
  /** The client id of the request, if it is well-formed. The client may be unknown. */
  readonly clientId: string | undefined;
  /** The public ID of a well-formed OTP. The OTP may be forged. */
  readonly publicId: string | undefined;
  /** The status that was sent, or `HTTP_ERROR` for an answer outside the protocol, such as HTTP 413 or 429. */
  readonly status: Status | 'HTTP_ERROR';
  readonly httpStatus: number;
  readonly milliseconds: number;
  readonly address: string | undefined;
  /** The error that prevented a verdict. */
  readonly error: unknown;
}

/** One answer of a KSM service, for logs and metrics. It contains no secrets. */
export interface KsmEvent {
  readonly operation: 'decrypt' | 'add' | 'list' | 'delete';
  readonly protocol: 'rest' | 'wsapi';
  /** The public ID of a well-formed OTP or request. The key may be unknown. */
  readonly publicId: string | undefined;
  /** `OK`, or the error code of the REST API; `wsapi` requests have one too. */
  readonly outcome: string;
  readonly httpStatus: number;
  readonly milliseconds: number;
  readonly address: string | undefined;
  /** The error that prevented a proper answer. */
  readonly error: unknown;
}
