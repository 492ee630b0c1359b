import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';

/**
 * Serves HTTP: `http.createServer(listener)` as it is, `app.use(listener)` in an Express app. Paths that it does
 * not serve go to `next`; without one, they are answered 404.
 */
export type Listener = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => void;

/** The address a request came from, for limits and logs. Default: the other end of the connection. */
export type AddressOf = (request: IncomingMessage) => string | undefined;

export const addressOfConnection: AddressOf = ({ socket }) => socket.remoteAddress;

export interface Target {
  /** Without a slash at its end. */
  readonly path: string;
  /** Without its question mark. */
  readonly query: string;
}

/** Where a request goes. A proxy's absolute form (RFC 9112, 3.2.2) loses its origin. */
export function targetOf({ url = '/' }: IncomingMessage): Target {
  const target = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?#]*/i, '');
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  return {
    path: path.endsWith('/') ? path.slice(0, -1) : path,
    query: mark < 0 ? '' : target.slice(mark + 1),
  };
}

export interface Answer {
  readonly status: number;
  readonly type: 'text/plain; charset=utf-8' | 'application/json';
  /** Whole, or as it is made. */
  readonly body: string | AsyncIterable<string>;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Sends an answer that nothing may keep. One that fails half way breaks off, so that nobody takes it for whole. */
export function send(response: ServerResponse, { status, type, body, headers }: Answer): void {
  // The application may have answered meanwhile, such as by a time limit of its own.
  if (response.headersSent) return;
  if (typeof body === 'string') {
    const length = Buffer.byteLength(body);
    // Nearly every answer has no headers of its own, and spreading objects into one takes its time.
    response.writeHead(
      status,
      headers
        ? { 'Content-Type': type, 'Cache-Control': 'no-store', ...headers, 'Content-Length': length }
        : { 'Content-Type': type, 'Cache-Control': 'no-store', 'Content-Length': length },
    );
    response.end(body);
  } else {
    response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store', ...headers });
    pipeline(Readable.from(body), response, () => undefined);
  }
}

/** Sends an answer once there is one. What fails here is the application's own: its hooks, its errors. */
export async function reply(
  response: ServerResponse,
  answer: Promise<Answer>,
  next: ((error?: unknown) => void) | undefined,
): Promise<void> {
  try {
    send(response, await answer);
  } catch (error) {
    if (next) return next(error);
    process.emitWarning(error instanceof Error ? error : String(error));
    send(response, text(500, 'The server failed\n'));
  }
}

export function text(status: number, body: string, headers?: Answer['headers']): Answer {
  return { status, type: 'text/plain; charset=utf-8', body, headers };
}

export function json(status: number, value: unknown, headers?: Answer['headers']): Answer {
  return { status, type: 'application/json', body: JSON.stringify(value), headers };
}

/** Leaves a path that is not served here to the application, where this listener is part of one. */
export function notServed(response: ServerResponse, next?: (error?: unknown) => void): void {
  if (next) next();
  else send(response, text(404, 'Nothing is served at this path\n'));
}
