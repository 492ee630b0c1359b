import type { Status } from '../protocol/status.js';
import type { ProtocolVersion } from '../protocol/validation-request.js';

/** One answer of a validation service, for logs and metrics. It holds no secret. */
export interface VerificationEvent {
  readonly protocol: ProtocolVersion;
  /** As the request names it, where that is well-formed; known or not. */
  readonly clientId: string | undefined;
  /** Of a well-formed OTP, genuine or not. */
  readonly publicId: string | undefined;
  /** What was answered; `HTTP_ERROR` where that was no answer of the protocol, such as HTTP 413 or 429. */
  readonly status: Status | 'HTTP_ERROR';
  readonly httpStatus: number;
  readonly milliseconds: number;
  readonly address: string | undefined;
  /** What kept the service from a verdict. */
  readonly error: unknown;
}

/** One answer of a KSM service, for logs and metrics. It holds no secret. */
export interface KsmEvent {
  readonly operation: 'decrypt' | 'add' | 'list' | 'delete';
  readonly protocol: 'rest' | 'wsapi';
  /** Of a well-formed OTP or request, known or not. */
  readonly publicId: string | undefined;
  /** `OK`, or the error code of the REST API, also where `wsapi` was asked. */
  readonly outcome: string;
  readonly httpStatus: number;
  readonly milliseconds: number;
  readonly address: string | undefined;
  /** What kept the service from an answer. */
  readonly error: unknown;
}
