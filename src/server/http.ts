import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';

/**
 * An HTTP request listener, for `http.createServer(listener)` or `app.use(listener)` in an Express app. Requests for
 * other paths are passed to `next`, or answered with 404 if there is none.
 */
export type Listener = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => void;

/** Returns the client address of a request, for limits and logs. Default: the remote address of the connection. */
export type AddressOf = (request: IncomingMessage) => string | undefined;

export const connectionAddress: AddressOf = ({ socket }) => socket.remoteAddress;

export interface RequestTarget {
  /** Without a trailing slash. */
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
}

/** Reads the path and the query of a request. The origin of an absolute form (RFC 9112, 3.2.2) is dropped. */
export function parseTarget({ url = '/' }: IncomingMessage): RequestTarget {
  const target = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?#]*/i, '');
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  return {
    path: path.endsWith('/') ? path.slice(0, -1) : path,
    query: mark < 0 ? '' : target.slice(mark + 1),
  };
}

/** An HTTP answer of a service. */
export interface ListenerAnswer {
  /** The HTTP status. */
  readonly status: number;
  /** The Content-Type. Default: plain text in UTF-8. */
  readonly type?: string | undefined;
  /** Text, or a stream of it. */
  readonly body: string | AsyncIterable<string>;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

const PLAIN_TEXT = 'text/plain; charset=utf-8';

/**
 * Sends an answer that must not be cached. A stream that fails breaks the connection, so it never looks complete. Does
 * nothing if the response was begun already.
 */
export function sendAnswer(response: ServerResponse, answer: ListenerAnswer): void {
  const { status, type = PLAIN_TEXT, body, headers } = answer;
  // The application may have answered in the meantime, for example because of its own time limit.
  if (response.headersSent) return;
  if (typeof body === 'string') {
    const length = Buffer.byteLength(body);
    // Spreading is slow, and almost no answer has additional headers.
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

/** Awaits an answer and sends it. Only an error in the application's own hooks can make this fail. */
export async function sendOnceReady(
  response: ServerResponse,
  answer: Promise<ListenerAnswer>,
  next: ((error?: unknown) => void) | undefined,
): Promise<void> {
  try {
    sendAnswer(response, await answer);
  } catch (error) {
    if (next) return next(error);
    process.emitWarning(error instanceof Error ? error : String(error));
    sendAnswer(response, { status: 500, body: 'The server failed\n' });
  }
}

export function jsonAnswer(
  status: number,
  value: unknown,
  headers?: ListenerAnswer['headers'],
): ListenerAnswer {
  return { status, type: 'application/json', body: JSON.stringify(value), headers };
}

/** Passes a request for another path to the application, or answers it with 404 if there is none. */
export function answerNotServed(response: ServerResponse, next?: (error?: unknown) => void): void {
  if (next) next();
  else sendAnswer(response, { status: 404, body: 'Nothing is served at this path\n' });
}
