import type { Request } from 'express';
import { YubikeyError } from '../errors.js';
import { assertOptional, type OptionNames } from '../options.js';
import { MAX_PUBLIC_ID_LENGTH, TOKEN_LENGTH } from '../otp/otp.js';

/** Takes a possible OTP out of a request, synchronously and unchecked. Returns undefined if there is none. */
export type ExtractOtp = (req: Request) => unknown;

export interface AppendedOtpOptions {
  /** The length of your keys' public IDs, 0 to 16 letters. Default 12. */
  publicIdLength?: number | undefined;
}

const OPTION_NAMES: OptionNames<AppendedOtpOptions> = {
  publicIdLength: true,
};

/** Reads the OTP from a field of the body, which may be nested like `user[otp]`, or of the query if allowed. */
export function otpInBody(field: string, allowOtpInQuery: boolean): ExtractOtp {
  return (req) => {
    const typed = readField(req.body, field) ?? (allowOtpInQuery ? readField(req.query, field) : undefined);
    if (typed === undefined) assertBodyWasRead(req);
    return typed;
  };
}

/**
 * An `extractOtp` for one field that contains the password followed by the OTP: it reads the OTP from the end. Read the
 * password with {@link splitAppendedOtp}.
 */
export function appendedOtp(field = 'password', options: AppendedOtpOptions = {}): ExtractOtp {
  assertOptional('appendedOtp', options, OPTION_NAMES);
  assertPublicIdLength(options);
  return (req) => {
    const typed = readField(req.body, field);
    if (typed === undefined) assertBodyWasRead(req);
    return typeof typed === 'string' ? splitAppendedOtp(typed, options).otp : typed;
  };
}

/**
 * Splits the text of one field into the password and the OTP behind it. If the text is too short for an OTP, `password`
 * is the whole text and `otp` is undefined.
 */
export function splitAppendedOtp(
  typed: string,
  options: AppendedOtpOptions = {},
): { password: string; otp: string | undefined } {
  assertOptional('splitAppendedOtp', options, OPTION_NAMES);
  const otpLength = assertPublicIdLength(options) + TOKEN_LENGTH;
  const characters = [...typed.trimEnd()];
  if (characters.length < otpLength) return { password: typed, otp: undefined };
  return {
    password: characters.slice(0, -otpLength).join(''),
    otp: characters.slice(-otpLength).join(''),
  };
}

function assertPublicIdLength({ publicIdLength = 12 }: AppendedOtpOptions): number {
  if (!Number.isInteger(publicIdLength) || publicIdLength < 0 || publicIdLength > MAX_PUBLIC_ID_LENGTH) {
    throw new TypeError(`publicIdLength must be a whole number from 0 to ${MAX_PUBLIC_ID_LENGTH}`);
  }
  return publicIdLength;
}

/** Body parsers either keep `user[otp]` as one key or nest it. Inherited properties are ignored. */
function readField(fields: unknown, name: string): unknown {
  const whole = readOwn(fields, name);
  if (whole !== undefined || !name.endsWith(']')) return whole;
  return name.slice(0, -1).split(/\]?\[/).reduce(readOwn, fields);
}

function readOwn(fields: unknown, name: string): unknown {
  const isObject = typeof fields === 'object' && fields !== null;
  return isObject && Object.hasOwn(fields, name) ? (fields as Record<string, unknown>)[name] : undefined;
}

const PARSERS =
  'put app.use(express.urlencoded({ extended: false })) for forms, or app.use(express.json()) for JSON, before the route';

/**
 * Distinguishes a missing body parser from an empty field. It is called if a field was not found in `req.body`.
 *
 * @throws YubikeyError `BODY_NOT_PARSED` if no parser ran, `UNSUPPORTED_MEDIA_TYPE` if none of the parsers that ran
 * accepts the request's Content-Type.
 */
function assertBodyWasRead(req: Request): void {
  if (!mayHaveBody(req) || !isUnread(req)) return;
  // Express sets no `body` before a parser runs. body-parser 2 then sets undefined, body-parser 1 an empty object.
  if (!('body' in req) || isMadeByHand(req)) {
    throw new YubikeyError(
      'BODY_NOT_PARSED',
      `No middleware has read the request's body, so req.body is undefined: ${PARSERS}`,
    );
  }
  const type = readMediaType(req);
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

/** A request without headers is not a real one, so nothing tells whether it has a body. */
function isMadeByHand({ headers }: Request): boolean {
  return Object.keys(headers ?? {}).length === 0;
}

/** body-parser 1 sets an empty object even if it skips the body. Then nobody has read the stream. */
function isUnread({ body, readableDidRead }: Request): boolean {
  return body === undefined || (isEmptyObject(body) && readableDidRead === false);
}

function isEmptyObject(body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return false;
  const prototype = Object.getPrototypeOf(body);
  return (prototype === null || prototype === Object.prototype) && Object.keys(body).length === 0;
}

/** The media type in lower case, without parameters. Empty if it is missing or not safe to repeat in a message. */
function readMediaType({ headers }: Request): string {
  return /^[\w.+-]{1,60}\/[\w.+-]{1,60}/.exec(headers?.['content-type'] ?? '')?.[0].toLowerCase() ?? '';
}
