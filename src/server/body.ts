import type { IncomingMessage } from 'node:http';

/** More than any honest request has. */
export const MAX_BODY_LENGTH = 16 * 1024;
const MAX_BODY_MS = 10_000;

/** Why the body of a request cannot be read, and the HTTP status that says so. */
export class BodyFault extends Error {
  override readonly name = 'BodyFault';
  constructor(
    readonly status: 400 | 408 | 413 | 415 | 500,
    message: string,
  ) {
    super(message);
  }
}

/**
 * The body of a request: its text, or what a parser before this listener made of it.
 *
 * @throws BodyFault for a body that is too long, comes too slowly, is not UTF-8 or of another content type, and
 * where something else has read it already.
 */
export async function readBody(request: IncomingMessage, contentType: string): Promise<unknown> {
  const given = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (given !== contentType) {
    throw new BodyFault(415, `The body must be ${contentType}: send it with that Content-Type`);
  }
  if (request.headers['content-encoding'] !== undefined) {
    throw new BodyFault(415, 'The body must not be compressed: send it without Content-Encoding');
  }
  const { body: parsed } = request as { body?: unknown };
  if (parsed !== undefined) return Buffer.isBuffer(parsed) ? decode(parsed) : parsed;
  if (request.readableDidRead || request.readableEnded) {
    throw new BodyFault(
      500,
      'The body was read before this listener got the request: mount it before what reads bodies',
    );
  }
  return decode(await collect(request));
}

function collect(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_LENGTH) throw tooLong();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const deadline = setTimeout(
      () => settle(() => reject(new BodyFault(408, 'The body took too long'))),
      MAX_BODY_MS,
    );
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      if (length > MAX_BODY_LENGTH) settle(() => reject(tooLong()));
      else chunks.push(chunk);
    };
    const onEnd = () => settle(() => resolve(Buffer.concat(chunks)));
    const onBroken = () => settle(() => reject(new BodyFault(400, 'The body broke off')));
    const settle = (outcome: () => void) => {
      clearTimeout(deadline);
      request.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
      // A connection that breaks later is nobody's exception.
      request.on('error', () => undefined).pause();
      outcome();
    };
    request.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken);
  });
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new BodyFault(400, 'The body is not UTF-8');
  }
}

function tooLong(): BodyFault {
  return new BodyFault(413, `The body is longer than ${MAX_BODY_LENGTH} bytes`);
}
