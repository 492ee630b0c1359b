import type { Counters } from 'passport-yubikey-otp';
import type { ListedCounters } from 'passport-yubikey-otp/stores';
import type { Parsed } from './line.js';
import { isPublicId } from './modhex.js';

export interface CountersEntry {
  readonly publicId: string;
  /** Undefined for a key of which no OTP was ever accepted. */
  readonly counters: Counters | undefined;
  readonly nonce: string | undefined;
  readonly acceptedAt: Date;
  /** False for a key that was deactivated at the validation server. */
  readonly active: boolean;
  /** What is wrong with the rest of the line of a deactivated key, which then says nothing but that. */
  readonly problem?: string | undefined;
}

/** The bit of the usage counter that says caps lock triggered the key; no part of the counter. */
const CAPS_LOCK_BIT = 0x8000;

/**
 * Reads a line of `ykval-export`, of today with commas or of old with tabs:
 * `active,created,modified,yk_publicname,yk_counter,yk_use,yk_low,yk_high,nonce,notes`. A deactivated key is one
 * whatever else its line holds.
 */
export function parseYkvalLine(text: string): Parsed<CountersEntry> {
  if (text.trim() === '' || text.startsWith('#')) return undefined;
  const columns = text.split(findDelimiter(text)).map((column) => column.trim());
  if (columns.length < 9) return { problem: `there are ${columns.length} columns instead of 10` };
  const [first = '', , modified = '', publicId = '', ...rest] = columns;
  // With tabs, PHP wrote the false of PostgreSQL as nothing.
  const active = text.startsWith('\t') ? false : parseActive(first);
  if (active === undefined) return { problem: 'active is neither 0 nor 1' };
  if (!isPublicId(publicId)) return { problem: 'the public ID is not 0 to 16 modhex letters' };
  const read = parseCounters(rest, modified);
  const { problem, counters } = read;
  if (active && problem !== undefined) return { problem };
  if (active && !counters) return { skipped: 'no OTP of the key was ever accepted' };
  // Among columns that are empty or do not read, an empty public ID may also be one that is missing.
  if (publicId === '' && (problem !== undefined || modified === ''))
    return { problem: 'the public ID is empty in a line that tells nothing else for certain' };
  return { entry: { publicId, ...read, active } };
}

type ReadCounters = Omit<CountersEntry, 'publicId' | 'active'>;

/** Also of what does not read. */
const NEVER_USED: ReadCounters = { counters: undefined, nonce: undefined, acceptedAt: new Date(0) };

function parseCounters(columns: readonly string[], modified: string): ReadCounters {
  const [counter = '', use = '', low = '', high = '', nonce = ''] = columns;
  if (isNone(counter)) return NEVER_USED;
  const problem = findCounterProblem([counter, use, low, high], modified);
  if (problem !== undefined) return { ...NEVER_USED, problem };
  return {
    counters: {
      usageCounter: Number(counter) & ~CAPS_LOCK_BIT,
      sessionUse: Number(use),
      timestamp: Number(high) * 0x1_0000 + Number(low),
    },
    // A nonce only tells a repeated request from a replayed OTP: a strange one is no reason to lose the counters.
    nonce: /^[A-Za-z0-9]{1,40}$/.test(nonce) ? nonce : undefined,
    acceptedAt: isNone(modified) ? NEVER_USED.acceptedAt : new Date(Number(modified) * 1000),
  };
}

function findCounterProblem(
  counters: readonly [string, string, string, string],
  modified: string,
): string | undefined {
  const [counter, use, low, high] = counters;
  if (!isUnixTime(modified) && !isNone(modified))
    return 'the time modified is not a number of seconds since 1970';
  if (!isWithin(counter, 0xffff)) return 'yk_counter is not a number from 0 to 65535';
  if (!isWithin(use, 0xff)) return 'yk_use is not a number from 0 to 255';
  if (!isWithin(low, 0xffff)) return 'yk_low is not a number from 0 to 65535';
  if (!isWithin(high, 0xff)) return 'yk_high is not a number from 0 to 255';
  return undefined;
}

/** What is between the columns of a line of yubikey-val: the first there is, since notes may hold the other. */
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

/** What yubikey-val and PostgreSQL write of whether something is active; undefined for what cannot be told. */
export function parseActive(text: string): boolean | undefined {
  return ACTIVE.get(text);
}

/** What yubikey-val and its databases write where there is no value. */
function isNone(text: string): boolean {
  return /^(-1|NULL|\\N)?$/.test(text);
}

function isUnixTime(text: string): boolean {
  return /^\d{1,11}$/.test(text);
}

function isWithin(text: string, most: number): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= most;
}

/** What a validation server also keeps of a key, beside its counters. */
export interface ExportedKey {
  readonly active: boolean;
  readonly createdAt: Date;
}

/** Writes counters as `ykval-import` and {@link parseYkvalLine} read them, without the end of the line. */
export function formatYkvalLine(listed: ListedCounters, key: ExportedKey | undefined): string {
  const { publicId, usageCounter, sessionUse, timestamp, nonce, acceptedAt } = listed;
  const [active, createdAt] = key ? [key.active, key.createdAt] : [true, acceptedAt];
  const clock = [timestamp & 0xffff, timestamp >> 16];
  const counters = [usageCounter, sessionUse, ...clock];
  const times = [createdAt, acceptedAt].map(unixTime);
  return [active ? 1 : 0, ...times, publicId, ...counters, nonce ?? '', ''].join(',');
}

/** Seconds since 1970. */
export function unixTime(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}
