import { parseOtp } from '../otp/otp.js';
import { type MessageParameters, signParameters } from './signature.js';

/** How many percent of the other servers must agree before a server answers OK: 0 to 100, or its own words. */
export type SyncLevel = number | 'fast' | 'secure';

/** A request to verify one OTP. Validation protocol 1.0 knows `id` and `otp` alone, 1.1 also `timestamp`. */
export interface ValidationRequest {
  /** The client's id, decimal. */
  readonly id: string;
  readonly otp: string;
  /** 16 to 40 letters and digits, unique to this request. Required in protocol 2.0. */
  readonly nonce?: string | undefined;
  /** Asks for the OTP's counters. */
  readonly timestamp?: boolean | undefined;
  readonly sl?: SyncLevel | undefined;
  /** How many seconds the server may wait for the other servers. */
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

/** Writes a request as the query of a URL, without `?`; signed as its `h` when there is an API key. */
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

/** What is wrong with a request a server got, and the status to answer it with, as the reference server does. */
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
 * Reads the query of a URL, or the form in a body, without deciding what its parameters mean.
 *
 * @throws RequestFault when a parameter comes twice or holds a control character, so that nothing a client
 * sends can become a second line of a signed answer.
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

/** What no honest client sends: anything but ASCII in which only `%` has to be undone. */
const NOT_PLAIN = /[^\w.~*=&%-]|%(?![2-7][\dA-Fa-f])/;

/** What URLSearchParams makes of a plain query, in a quarter of its time. */
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
 * Reads the parameters of a request, in the reference server's order of checks, and normalises the OTP with
 * `parseOtp`. Signatures are over the parameters as received: check them there.
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

/** The name of a parameter where it can stand in an answer and in a log: a client can send any text as one. */
function printableName(key: string): string {
  return /^[\w.-]{1,64}$/.test(key) ? key : 'query';
}

function hasControlCharacter(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return /[\u0000-\u001f\u007f\u2028\u2029]/.test(text);
}
