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

export const connectionAddress: AddressOf = ({ socket }) => socket.remoteAddress;

export interface RequestTarget {
  /** Without a slash at its end. */
  readonly path: string;
  /** Without its question mark. */
  readonly query: string;
}

/** Where a request goes. A proxy's absolute form (RFC 9112, 3.2.2) loses its origin. */
export function parseTarget({ url = '/' }: IncomingMessage): RequestTarget {
  const target = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?#]*/i, '');
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  return {
    path: path.endsWith('/') ? path.slice(0, -1) : path,
    query: mark < 0 ? '' : target.slice(mark + 1),
  };
}

export interface HttpAnswer {
  readonly status: number;
  readonly type: 'text/plain; charset=utf-8' | 'application/json';
  /** Whole, or as it is made. */
  readonly body: string | AsyncIterable<string>;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Sends an answer that nothing may keep. One that fails half way breaks off, so that nobody takes it for whole. */
export function sendAnswer(response: ServerResponse, { status, type, body, headers }: HttpAnswer): void {
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
export async function sendOnceReady(
  response: ServerResponse,
  answer: Promise<HttpAnswer>,
  next: ((error?: unknown) => void) | undefined,
): Promise<void> {
  try {
    sendAnswer(response, await answer);
  } catch (error) {
    if (next) return next(error);
    process.emitWarning(error instanceof Error ? error : String(error));
    sendAnswer(response, textAnswer(500, 'The server failed\n'));
  }
}

export function textAnswer(status: number, body: string, headers?: HttpAnswer['headers']): HttpAnswer {
  return { status, type: 'text/plain; charset=utf-8', body, headers };
}

export function jsonAnswer(status: number, value: unknown, headers?: HttpAnswer['headers']): HttpAnswer {
  return { status, type: 'application/json', body: JSON.stringify(value), headers };
}

/** Leaves a path that is not served here to the application, where this listener is part of one. */
export function answerNotServed(response: ServerResponse, next?: (error?: unknown) => void): void {
  if (next) next();
  else sendAnswer(response, textAnswer(404, 'Nothing is served at this path\n'));
}
