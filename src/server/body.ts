import type { IncomingMessage } from 'node:http';
import { HttpFault } from './http-fault.js';

/** More than any honest request has. */
const MAX_BODY_LENGTH = 16 * 1024;
const MAX_BODY_MS = 10_000;

/** What is left of a body is not read, so the connection ends with the answer. */
const CLOSE = { Connection: 'close' };

/**
 * The value of a JSON body, read here or by a parser before.
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
 * A form in a body as the text of a query, read here or by a parser before.
 *
 * @throws HttpFault
 */
export async function readForm(request: IncomingMessage): Promise<string> {
  if (hasNoBody(request)) return '';
  const body = await readBody(request, 'application/x-www-form-urlencoded');
  if (typeof body === 'string') return body;
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(body ?? {})) {
    // A parser's lists and objects are a parameter that came more than once, or as none: no single value either way.
    for (const text of typeof value === 'string' ? [value] : ['', '']) form.append(name, text);
  }
  return form.toString();
}

function hasNoBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
}

/** Text, or what a parser made of it. */
async function readBody(request: IncomingMessage, contentType: string): Promise<unknown> {
  const given = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (given !== contentType) {
    throw new HttpFault(415, `The body must be ${contentType}: say so in Content-Type`, CLOSE);
  }
  if (request.headers['content-encoding'] !== undefined) {
    throw new HttpFault(415, 'The body must not be compressed', CLOSE);
  }
  const { body: parsed } = request as { body?: unknown };
  if (Buffer.isBuffer(parsed)) return decode(parsed);
  const wasRead = request.readableDidRead || request.readableEnded;
  if (parsed === undefined && wasRead) {
    throw new HttpFault(500, 'Something read the body before this listener: mount this one first', CLOSE);
  }
  // Parsers of Express 4 leave an empty object where they leave the body alone.
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
      // Whatever else happens to the connection concerns the answer, not the body.
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
