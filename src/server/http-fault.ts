import { YubikeyError } from '../errors.js';

/** A refusal with a status code of HTTP. */
export class HttpFault extends Error {
  override readonly name = 'HttpFault';
  constructor(
    readonly status: 400 | 401 | 403 | 404 | 405 | 408 | 413 | 415 | 429 | 500,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

export function isRateLimited(error: unknown): boolean {
  return error instanceof YubikeyError && error.code === 'RATE_LIMITED';
}

/** Turns an error that the protocol has no status for into an HTTP status. Its message reveals nothing internal. */
export function toHttpFault(error: unknown): HttpFault {
  if (error instanceof HttpFault) return error;
  if (isRateLimited(error)) {
    return new HttpFault(429, 'Too many requests: try again in a second', { 'Retry-After': '1' });
  }
  return new HttpFault(500, 'The server failed: see its log');
}

export function methodNotAllowed(allowed: string): HttpFault {
  return new HttpFault(405, `Use ${allowed}`, { Allow: allowed });
}
