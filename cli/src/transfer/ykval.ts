import {
  type CounterFields,
  type Counters,
  formatCounterFields,
  isPublicId,
  MAX_COUNTER_FIELDS,
  readCounterFields,
} from 'passport-yubikey-otp/protocol';
import type { ListedCounters } from 'passport-yubikey-otp/stores';
import type { Parsed } from './line.js';

export interface CountersEntry {
  readonly publicId: string;
  /** Undefined for a key that was never used. */
  readonly counters: Counters | undefined;
  readonly nonce: string | undefined;
  readonly acceptedAt: Date;
  /** False for a key that was deactivated at the validation server. */
  readonly active: boolean;
  /** The problem with the rest of a deactivated key's line. Then only `active` and the public ID count. */
  readonly problem?: string | undefined;
}

/**
 * Reads a line of `ykval-export`: `active,created,modified,yk_publicname,yk_counter,yk_use,yk_low,yk_high,nonce,notes` (old
 * versions separate by tabs). A deactivated key is reported as such even if the rest of its line cannot be read.
 */
export function parseYkvalLine(text: string): Parsed<CountersEntry> {
  if (text.trim() === '' || text.startsWith('#')) return undefined;
  const columns = text.split(findDelimiter(text)).map((column) => column.trim());
  if (columns.length < 9) return { problem: `the number of columns is ${columns.length}, not 10` };
  const [first = '', , modified = '', publicId = '', ...rest] = columns;
  // In the old format, PHP wrote PostgreSQL's false as an empty column.
  const active = text.startsWith('\t') ? false : parseActive(first);
  if (active === undefined) return { problem: 'the column active is neither 0 nor 1' };
  if (!isPublicId(publicId)) return { problem: 'the public ID is not 0 to 16 modhex letters' };
  const read = parseCounters(rest, modified);
  const { problem, counters } = read;
  if (active && problem !== undefined) return { problem };
  if (active && !counters) return { skipped: 'no OTP of the key was ever accepted' };
  // If the other columns are empty or cannot be read, an empty public ID may be a missing one.
  if (publicId === '' && (problem !== undefined || modified === ''))
    return { problem: 'the public ID is empty, and the rest of the line is empty or cannot be read' };
  return { entry: { publicId, ...read, active } };
}

type ReadCounters = Omit<CountersEntry, 'publicId' | 'active'>;

/** Also used for counters that cannot be read. */
const NEVER_USED: ReadCounters = { counters: undefined, nonce: undefined, acceptedAt: new Date(0) };

function parseCounters(columns: readonly string[], modified: string): ReadCounters {
  const [counter = '', use = '', low = '', high = '', nonce = ''] = columns;
  if (isNone(counter)) return NEVER_USED;
  if (!isUnixTime(modified) && !isNone(modified))
    return { ...NEVER_USED, problem: 'the column modified is not a number of seconds since 1970' };
  const fields = { counter, use, low, high };
  const problem = findFieldProblem(fields);
  if (problem !== undefined) return { ...NEVER_USED, problem };
  const numbers = { counter: Number(counter), use: Number(use), low: Number(low), high: Number(high) };
  return {
    counters: readCounterFields(numbers).counters,
    // The nonce only tells a repeated request from a replayed OTP, so counters are imported without an invalid one.
    nonce: /^[A-Za-z0-9]{1,40}$/.test(nonce) ? nonce : undefined,
    acceptedAt: isNone(modified) ? NEVER_USED.acceptedAt : new Date(Number(modified) * 1000),
  };
}

function findFieldProblem(fields: Readonly<Record<keyof CounterFields, string>>): string | undefined {
  for (const name of ['counter', 'use', 'low', 'high'] as const) {
    const most = MAX_COUNTER_FIELDS[name];
    if (!isWithin(fields[name], most)) return `yk_${name} is not a number from 0 to ${most}`;
  }
  return undefined;
}

/** The separator of a yubikey-val line: the first tab or comma, because notes may contain the other one. */
export function findDelimiter(text: string): string {
  return /[,\t]/.exec(text)?.[0] ?? ',';
}

const ACTIVE: ReadonlyMap<string, boolean> = new Map([
  ['0', false],
  ['f', false],
  ['false', false],
  ['1', true],
  ['t', true],
  ['true', true],
]);

/** Parses `active` as yubikey-val and PostgreSQL write it. Returns undefined for other texts. */
export function parseActive(text: string): boolean | undefined {
  return ACTIVE.get(text);
}

/** Whether yubikey-val or its database wrote this for a missing value. */
function isNone(text: string): boolean {
  return /^(-1|NULL|\\N)?$/.test(text);
}

/** Whether this is a number of seconds since 1970. */
export function isUnixTime(text: string): boolean {
  return /^\d{1,11}$/.test(text);
}

function isWithin(text: string, max: number): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= max;
}

/** The fields that a validation server stores for a key beside its counters. */
export interface ExportedKey {
  readonly active: boolean;
  readonly createdAt: Date;
}

/** Formats counters for `ykval-import` and {@link parseYkvalLine}, without the line end. */
export function formatYkvalLine(listed: ListedCounters, key: ExportedKey | undefined): string {
  const { publicId, nonce, acceptedAt } = listed;
  const [active, createdAt] = key ? [key.active, key.createdAt] : [true, acceptedAt];
  const { counter, use, low, high } = formatCounterFields(listed);
  const counters = [counter, use, low, high];
  const times = [createdAt, acceptedAt].map(unixTime);
  return [active ? 1 : 0, ...times, publicId, ...counters, nonce ?? '', ''].join(',');
}

/** Seconds since 1970. */
export function unixTime(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}
