import type { Request } from 'express';
import { YubikeyError } from '../errors.js';

const PARSERS =
  'put app.use(express.urlencoded({ extended: false })) for forms, or app.use(express.json()) for JSON, before the route';

/**
 * Tells an application whose body parser is missing from a person who sent nothing; called where a field was not
 * found in `req.body`.
 *
 * @throws YubikeyError `BODY_NOT_PARSED` when no parser ran, `UNSUPPORTED_MEDIA_TYPE` when none of those that ran
 * takes the request's Content-Type.
 */
export function assertBodyWasRead(req: Request): void {
  if (!mayHaveBody(req) || !isUnread(req)) return;
  // Express has no `body` before a parser runs; body-parser 2 leaves `undefined` in it, body-parser 1 an empty object.
  if (!('body' in req) || isMadeByHand(req)) {
    throw new YubikeyError(
      'BODY_NOT_PARSED',
      `No middleware has read the request's body, so req.body is undefined: ${PARSERS}`,
    );
  }
  const type = mediaTypeOf(req);
  throw new YubikeyError(
    'UNSUPPORTED_MEDIA_TYPE',
    `No middleware reads a body of ${type ? `the type ${type}` : 'this type'}: send a form without enctype, or JSON; and ${PARSERS}`,
  );
}

function mayHaveBody(req: Request): boolean {
  if (isMadeByHand(req)) return true;
  const { 'content-length': length, 'transfer-encoding': encoding } = req.headers;
  return Number(length) > 0 || encoding !== undefined;
}

/** A request without headers is no real one, and cannot say that it has no body. */
function isMadeByHand({ headers }: Request): boolean {
  return Object.keys(headers ?? {}).length === 0;
}

/** body-parser 1 begins with an empty object, also where it leaves the body alone: then nobody has read the stream. */
function isUnread({ body, readableDidRead }: Request): boolean {
  return body === undefined || (isEmptyObject(body) && readableDidRead === false);
}

function isEmptyObject(body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return false;
  const prototype = Object.getPrototypeOf(body);
  return (prototype === null || prototype === Object.prototype) && Object.keys(body).length === 0;
}

/** In lower case, without parameters; empty where there is none that could be repeated in a message. */
function mediaTypeOf({ headers }: Request): string {
  return /^[\w.+-]{1,60}\/[\w.+-]{1,60}/.exec(headers?.['content-type'] ?? '')?.[0].toLowerCase() ?? '';
}
