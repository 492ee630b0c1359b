import { assertOtp, type Otp, parseOtp } from '../otp/otp.js';
import type { ProtocolVersion } from './paths.js';
import { type MessageParameters, signParameters } from './signature.js';

/** The percentage of other servers that must agree before a server answers OK, or a name for it. */
export type SyncLevel = number | 'fast' | 'secure';

/**
 * A request to verify one OTP (validation protocol 2.0, "Request"). Protocol 1.0 has only `id` and `otp`, 1.1 also
 * `timestamp`.
 */
export interface ValidationRequest {
  /** The client's id, 1 to 20 decimal digits. */
  readonly id: string;
  /** From `parseOtp`. */
  readonly otp: Otp;
  /** 16 to 40 letters and digits, unique to this request. Required in protocol 2.0. */
  readonly nonce?: string | undefined;
  /** Asks for the OTP's counters. */
  readonly timestamp?: boolean | undefined;
  /** How many other servers must agree. Default: as the server decides. */
  readonly sl?: SyncLevel | undefined;
  /** The number of seconds that the server may wait for other servers. */
  readonly timeout?: number | undefined;
}

/** Percent. */
export const MAX_SYNC_LEVEL = 100;

const NONCE = /^[A-Za-z0-9]{16,40}$/;
const CLIENT_ID = /^[0-9]{1,20}$/;

/**
 * Whether a value can be the nonce of a request: 16 to 40 letters and digits (validation protocol 2.0, "Request"). Make
 * one with `randomUUID().replaceAll('-', '')`.
 */
export function isNonce(text: unknown): text is string {
  return typeof text === 'string' && NONCE.test(text);
}

/** Whether a value can be the id of a client: text of 1 to 20 decimal digits. */
export function isClientId(text: unknown): text is string {
  return typeof text === 'string' && CLIENT_ID.test(text);
}

export function isSyncLevel(level: unknown): level is SyncLevel {
  if (level === 'fast' || level === 'secure') return true;
  return typeof level === 'number' && Number.isInteger(level) && level >= 0 && level <= MAX_SYNC_LEVEL;
}

/**
 * Writes a request as the query of a URL, without `?`. With an API key, `h` is its signature.
 *
 * @throws TypeError for a parameter that a server would refuse, such as a nonce that is not one.
 */
export function formatValidationRequest(request: ValidationRequest, apiKey?: Uint8Array): string {
  const { id, otp, nonce, timestamp, sl, timeout } = request;
  assertOtp(otp);
  const parameters = new Map<string, string>([
    ['id', assertParameter(isClientId(id), 'id', id)],
    ['otp', otp.value],
  ]);
  if (nonce !== undefined) parameters.set('nonce', assertParameter(isNonce(nonce), 'nonce', nonce));
  if (timestamp) parameters.set('timestamp', '1');
  if (sl !== undefined) parameters.set('sl', assertParameter(isSyncLevel(sl), 'sl', sl));
  if (timeout !== undefined) {
    const isSeconds = Number.isSafeInteger(timeout) && timeout >= 0;
    parameters.set('timeout', assertParameter(isSeconds, 'timeout', timeout));
  }
  if (apiKey) parameters.set('h', signParameters(parameters, apiKey));
  return [...parameters].map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join('&');
}

function assertParameter(isValid: boolean, name: string, value: string | number): string {
  if (!isValid) throw new TypeError(`The parameter ${name} of a validation request is invalid`);
  return String(value);
}

/** Why a request cannot be judged, with the status that the reference server answers with. */
export class MalformedRequest extends Error {
  override readonly name = 'MalformedRequest';
  constructor(
    /** The name of the parameter. It is safe to repeat in an answer and in a log. */
    readonly parameter: string,
    readonly status: 'MISSING_PARAMETER' | 'BAD_OTP' = 'MISSING_PARAMETER',
  ) {
    super(`Parameter ${parameter} is missing, invalid or repeated`);
  }
}

/**
 * Splits a request into its parameters: the query of a URL without `?`, or a form in a body. Values stay as they were
 * received, because signatures cover them so.
 *
 * @throws MalformedRequest if a parameter is repeated or contains a control character, so that no text of a client can
 * become a second line of a signed answer.
 */
export function parseRequestParameters(query: string): MessageParameters {
  const parameters = new Map<string, string>();
  for (const [key, value] of NOT_PLAIN.test(query) ? new URLSearchParams(query) : splitPlainPairs(query)) {
    if (parameters.has(key) || hasControlCharacter(key) || hasControlCharacter(value))
      throw new MalformedRequest(printableName(key));
    parameters.set(key, value);
  }
  return parameters;
}

/** Matches all but ASCII that needs only `%` decoding, which is what honest clients send. */
const NOT_PLAIN = /[^\w.~*=&%-]|%(?![2-7][\dA-Fa-f])/;

/** Splits a plain query as URLSearchParams does, in a quarter of the time. */
function splitPlainPairs(query: string): [string, string][] {
  const pairs: [string, string][] = [];
  for (const part of query.split('&')) {
    if (part === '') continue;
    const mark = part.indexOf('=');
    pairs.push(
      mark < 0
        ? [decodePercent(part), '']
        : [decodePercent(part.slice(0, mark)), decodePercent(part.slice(mark + 1))],
    );
  }
  return pairs;
}

function decodePercent(text: string): string {
  return text.includes('%') ? decodeURIComponent(text) : text;
}

/**
 * Reads the parameters of a request, with the checks in the reference server's order, and the OTP with `parseOtp`, in any
 * spelling that it knows. Ignores parameters that the protocol version does not have.
 *
 * It does not check the signature: do so with `isSignedWith` and the parameters as received, not with the result.
 *
 * @throws MalformedRequest
 */
export function readValidationRequest(
  parameters: MessageParameters,
  version: ProtocolVersion,
): ValidationRequest {
  const read = (key: string) => parameters.get(key) || undefined;
  const nonce = version === '2.0' ? read('nonce') : undefined;
  if (version === '2.0' && nonce === undefined) throw new MalformedRequest('nonce');
  const sl = version === '2.0' ? readSyncLevel(read('sl')) : undefined;
  const timeout = version === '2.0' ? readTimeout(read('timeout')) : undefined;
  const otp = readOtp(read('otp'));
  const id = read('id');
  if (id === undefined || !isClientId(id)) throw new MalformedRequest('id');
  if (nonce !== undefined && !isNonce(nonce)) throw new MalformedRequest('nonce');
  const timestamp = version !== '1.0' && parameters.get('timestamp') === '1' ? true : undefined;
  return { id, otp, nonce, timestamp, sl, timeout };
}

function readSyncLevel(text: string | undefined): SyncLevel | undefined {
  if (text === undefined) return undefined;
  const level = /^[0-9]{1,3}$/.test(text) ? Number(text) : text;
  if (!isSyncLevel(level)) throw new MalformedRequest('sl');
  return level;
}

function readTimeout(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,4}$/.test(text)) throw new MalformedRequest('timeout');
  return Number(text);
}

function readOtp(text: string | undefined): Otp {
  if (text === undefined) throw new MalformedRequest('otp');
  try {
    return parseOtp(text);
  } catch {
    throw new MalformedRequest('otp', 'BAD_OTP');
  }
}

/** The parameter's name if it is safe in an answer and in a log, because clients can send any text as a name. */
function printableName(key: string): string {
  return /^[\w.-]{1,64}$/.test(key) ? key : 'query';
}

function hasControlCharacter(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  return /[\u0000-\u001f\u007f\u2028\u2029]/.test(text);
}
