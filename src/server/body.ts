import type { IncomingMessage } from 'node:http';
import { HttpFault } from './http-fault.js';

/** In bytes; legitimate requests are much shorter. */
const MAX_BODY_LENGTH = 16 * 1024;
const MAX_BODY_MS = 10_000;

/** The rest of the body stays unread, so the connection cannot be reused after the answer. */
const CLOSE = { Connection: 'close' };

/**
 * Returns the value of a JSON body, which a body parser may have read already.
 *
 * @throws HttpFault
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const body = await readBody(request, 'application/json');
  if (typeof body !== 'string') return body;
  try {
    return JSON.parse(body);
  } catch {
    throw new HttpFault(400, 'The body is not JSON');
  }
}

/**
 * Returns a form body as the text of a query. A body parser may have read the body already.
 *
 * @throws HttpFault
 */
export async function readForm(request: IncomingMessage): Promise<string> {
  if (hasNoBody(request)) return '';
  const body = await readBody(request, 'application/x-www-form-urlencoded');
  if (typeof body === 'string') return body;
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(body ?? {})) {
    // Parsers turn repeated and nested parameters into lists and objects. Appending the name twice gets it refused.
    for (const text of typeof value === 'string' ? [value] : ['', '']) form.append(name, text);
  }
  return form.toString();
}

function hasNoBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
}

/** Returns text, or the value that a body parser has made of it. */
async function readBody(request: IncomingMessage, contentType: string): Promise<unknown> {
  const given = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (given !== contentType) {
    throw new HttpFault(415, `The body must be ${contentType}: set Content-Type accordingly`, CLOSE);
  }
  if (request.headers['content-encoding'] !== undefined) {
    throw new HttpFault(415, 'The body must not be compressed', CLOSE);
  }
  const { body: parsed } = request as { body?: unknown };
  if (Buffer.isBuffer(parsed)) return decode(parsed);
  const wasRead = request.readableDidRead || request.readableEnded;
  if (parsed === undefined && wasRead) {
    throw new HttpFault(
      500,
      'The body was read before it reached this listener: mount the listener earlier',
      CLOSE,
    );
  }
  // The parsers of Express 4 set an empty object when they leave the body unread.
  return wasRead || !isEmpty(parsed) ? parsed : decode(await collect(request));
}

function isEmpty(value: unknown): boolean {
  return value === undefined || (value instanceof Object && Object.keys(value).length === 0);
}

function collect(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_LENGTH) throw tooLong();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (outcome: () => void) => {
      clearTimeout(deadline);
      request.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
      // Later errors of the connection concern the answer, not the body.
      request.on('error', () => undefined).pause();
      outcome();
    };
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      if (length > MAX_BODY_LENGTH) settle(() => reject(tooLong()));
      else chunks.push(chunk);
    };
    const onEnd = () => settle(() => resolve(Buffer.concat(chunks)));
    const onBroken = () => settle(() => reject(new HttpFault(400, 'The body broke off', CLOSE)));
    const onDeadline = () => settle(() => reject(new HttpFault(408, 'The body took too long', CLOSE)));
    const deadline = setTimeout(onDeadline, MAX_BODY_MS);
    request.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken);
  });
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new HttpFault(400, 'The body is not UTF-8');
  }
}

function tooLong(): HttpFault {
  return new HttpFault(413, `The body is longer than ${MAX_BODY_LENGTH} bytes`, CLOSE);
}
