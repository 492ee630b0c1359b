import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** Answers with a line of text that must not be cached. */
export function answer(
  response: ServerResponse,
  status: number,
  text: string,
  headers: OutgoingHttpHeaders = {},
): void {
  send(response, status, 'text/plain; charset=utf-8', `${text}\n`, headers);
}

/** Answers with a JSON value that must not be cached. */
export function answerJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, 'application/json', JSON.stringify(value));
}

/** Answers with a body of any type that must not be cached. */
export function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string,
  headers: OutgoingHttpHeaders = {},
): void {
  response
    .writeHead(status, {
      'Content-Type': type,
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
      ...headers,
    })
    .end(body);
}
