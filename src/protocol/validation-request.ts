import { parseOtp } from '../otp/otp.js';
import { type MessageParameters, signParameters } from './signature.js';

/** The percentage of other servers that must agree before a server answers OK, or a name for it. */
export type SyncLevel = number | 'fast' | 'secure';

/** A request to verify one OTP. Validation protocol 1.0 has only `id` and `otp`, 1.1 also `timestamp`. */
export interface ValidationRequest {
  /** The client's id, in decimal. */
  readonly id: string;
  readonly otp: string;
  /** 16 to 40 letters and digits, unique to this request. Required in protocol 2.0. */
  readonly nonce?: string | undefined;
  /** Asks for the OTP's counters. */
  readonly timestamp?: boolean | undefined;
  readonly sl?: SyncLevel | undefined;
  /** The number of seconds that the server may wait for other servers. */
  readonly timeout?: number | undefined;
}

const NONCE = /^[A-Za-z0-9]{16,40}$/;
const CLIENT_ID = /^[0-9]{1,20}$/;

export function isNonce(text: unknown): text is string {
  return typeof text === 'string' && NONCE.test(text);
}

export function isClientId(text: unknown): text is string {
  return typeof text === 'string' && CLIENT_ID.test(text);
}

export function isSyncLevel(level: unknown): level is SyncLevel {
  if (level === 'fast' || level === 'secure') return true;
  return typeof level === 'number' && Number.isInteger(level) && level >= 0 && level <= 100;
}

/** Writes a request as the query of a URL, without `?`. With an API key, `h` is its signature. */
export function formatValidationRequest(request: ValidationRequest, apiKey?: Uint8Array): string {
  const parameters = new Map<string, string>([
    ['id', request.id],
    ['otp', request.otp],
  ]);
  if (request.nonce !== undefined) parameters.set('nonce', request.nonce);
  if (request.timestamp) parameters.set('timestamp', '1');
  if (request.sl !== undefined) parameters.set('sl', String(request.sl));
  if (request.timeout !== undefined) parameters.set('timeout', String(request.timeout));
  if (apiKey) parameters.set('h', signParameters(parameters, apiKey));
  return [...parameters].map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join('&');
}

export type ProtocolVersion = '1.0' | '1.1' | '2.0';

/** A fault in a request to a server, and the status that the reference server answers with. */
export class RequestFault extends Error {
  override readonly name = 'RequestFault';
  constructor(
    readonly parameter: string,
    readonly status: 'MISSING_PARAMETER' | 'BAD_OTP' = 'MISSING_PARAMETER',
  ) {
    super(`Parameter ${parameter} is missing, invalid or repeated`);
  }
}

/**
 * Reads the query of a URL, or a form in a body, without interpreting its parameters.
 *
 * @throws RequestFault if a parameter is repeated or contains a control character, so that no text of a client can
 * become a second line of a signed answer.
 */
export function parseParameters(query: string): MessageParameters {
  const parameters = new Map<string, string>();
  for (const [key, value] of NOT_PLAIN.test(query) ? new URLSearchParams(query) : splitPlainPairs(query)) {
    if (parameters.has(key) || hasControlCharacter(key) || hasControlCharacter(value))
      throw new RequestFault(printableName(key));
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
 * Reads the parameters of a request, with the checks in the reference server's order, and normalises the OTP with
 * `parseOtp`. Check the signature against the parameters as received, not against the result.
 *
 * @throws RequestFault
 */
export function readValidationRequest(
  parameters: MessageParameters,
  version: ProtocolVersion,
): ValidationRequest {
  const read = (key: string) => parameters.get(key) || undefined;
  const nonce = version === '2.0' ? read('nonce') : undefined;
  if (version === '2.0' && nonce === undefined) throw new RequestFault('nonce');
  const sl = version === '2.0' ? readSyncLevel(read('sl')) : undefined;
  const timeout = version === '2.0' ? readTimeout(read('timeout')) : undefined;
  const otp = readOtp(read('otp'));
  const id = read('id');
  if (id === undefined || !isClientId(id)) throw new RequestFault('id');
  if (nonce !== undefined && !isNonce(nonce)) throw new RequestFault('nonce');
  const timestamp = version !== '1.0' && parameters.get('timestamp') === '1' ? true : undefined;
  return { id, otp, nonce, timestamp, sl, timeout };
}

function readSyncLevel(text: string | undefined): SyncLevel | undefined {
  if (text === undefined || text === 'fast' || text === 'secure') return text;
  if (!/^[0-9]{1,3}$/.test(text) || Number(text) > 100) throw new RequestFault('sl');
  return Number(text);
}

function readTimeout(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,4}$/.test(text)) throw new RequestFault('timeout');
  return Number(text);
}

function readOtp(text: string | undefined): string {
  if (text === undefined) throw new RequestFault('otp');
  try {
    return parseOtp(text).value;
  } catch {
    throw new RequestFault('otp', 'BAD_OTP');
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
