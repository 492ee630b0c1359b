import type { IncomingMessage, ServerResponse } from 'node:http';

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

/** Path and query of a request. A proxy's absolute form (RFC 9112, 3.2.2) loses its origin. */
export function targetOf({ url = '/' }: IncomingMessage): { path: string; query: string } {
  const target = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?#]*/i, '');
  const mark = target.indexOf('?');
  if (mark < 0) return { path: target, query: '' };
  return { path: target.slice(0, mark), query: target.slice(mark + 1) };
}

export interface Answer {
  readonly status: number;
  readonly type: 'text/plain; charset=utf-8' | 'application/json';
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends an answer that nothing may keep. */
export function send(response: ServerResponse, { status, type, body, headers }: Answer): void {
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    ...headers,
  });
  response.end(body);
}

export function text(status: number, body: string, headers?: Answer['headers']): Answer {
  return { status, type: 'text/plain; charset=utf-8', body, ...(headers && { headers }) };
}

export function json(status: number, value: unknown, headers?: Answer['headers']): Answer {
  return { status, type: 'application/json', body: JSON.stringify(value), ...(headers && { headers }) };
}

/** Leaves a path that is not served here to the application, where this listener is part of one. */
export function notServed(response: ServerResponse, next?: (error?: unknown) => void): void {
  if (next) next();
  else send(response, text(404, 'Nothing is served at this path\n'));
}
