import type { Counters } from 'passport-yubikey-otp';
import type { CounterRecord, CounterStore, KeyRecord, KeyStore } from 'passport-yubikey-otp/stores';
import type { Outcome } from './import-lines.js';
import { quotePublicId } from './public-id.js';
import type { CountersEntry } from './ykval.js';

export interface CountersTarget {
  counters: Pick<CounterStore, 'advance' | 'get'>;
  /** To disable what was deactivated elsewhere; no secret is read. */
  keys: Pick<KeyStore, 'get' | 'replace'>;
}

/**
 * Raises the counters of a key, never lowers them. A key that was deactivated is disabled, unless an import has done so
 * before and the counters are no news: then somebody has enabled it here since.
 */
export async function importCounters(target: CountersTarget, entry: CountersEntry): Promise<Outcome> {
  if (entry.active) return { tally: await raise(target.counters, entry) };
  const key = await target.keys.get(entry.publicId);
  return key ? importDeactivated(target, entry, key) : refused(entry, notStored(entry));
}

/** The key is disabled before anything else is written, so that an import that breaks off can be run again. */
async function importDeactivated(
  target: CountersTarget,
  entry: CountersEntry,
  key: KeyRecord,
): Promise<Outcome> {
  const mark = formatImportMark(key);
  const isEnabledSince =
    key.active && (await target.counters.get(mark)) !== undefined && !(await isNews(target.counters, entry));
  const disabled = !isEnabledSince && (await disable(target.keys, entry.publicId));
  const tally = await raise(target.counters, entry);
  await target.counters.advance(mark, NOTHING);
  const problem = isEnabledSince ? enabledSince(entry) : undefined;
  return entry.problem === undefined
    ? { tally, disabled, problem }
    : {
        ...refused(
          entry,
          problem ?? `the key ${entry.publicId} is deactivated in this line, and disabled here`,
        ),
        disabled,
      };
}

/**
 * Where it is kept that an import has disabled this very record: beside the counters, under no public ID. A key that is
 * stored anew is another record, and is disabled again.
 */
function formatImportMark({ publicId, createdAt }: KeyRecord): string {
  return `deactivated:${publicId}:${createdAt.getTime()}`;
}

const NOTHING: Counters = { usageCounter: 0, sessionUse: 0, timestamp: 0 };

async function isNews(
  store: Pick<CounterStore, 'get'>,
  { publicId, counters }: CountersEntry,
): Promise<boolean> {
  return counters !== undefined && isNewer(counters, await store.get(publicId));
}

function isNewer({ usageCounter, sessionUse }: Counters, stored: CounterRecord | undefined): boolean {
  if (!stored) return true;
  if (usageCounter !== stored.usageCounter) return usageCounter > stored.usageCounter;
  return sessionUse > stored.sessionUse;
}

async function raise(
  store: Pick<CounterStore, 'advance'>,
  { publicId, counters, nonce, acceptedAt }: CountersEntry,
): Promise<'raised' | 'unchanged'> {
  const isRaised = counters && (await store.advance(publicId, counters, nonce, acceptedAt)).advanced;
  return isRaised ? 'raised' : 'unchanged';
}

/** Whether it was active. */
async function disable(keys: CountersTarget['keys'], publicId: string): Promise<boolean> {
  for (;;) {
    const key = await keys.get(publicId);
    if (!key?.active) return false;
    if (await keys.replace(key, { active: false })) return true;
  }
}

function refused({ problem }: CountersEntry, reason: string): Outcome {
  return { tally: 'refused', problem: problem === undefined ? reason : `${problem}; ${reason}` };
}

function notStored({ publicId }: CountersEntry): string {
  return `the key ${publicId} is deactivated in this file, but is not stored here: import the keys, then this file again`;
}

function enabledSince({ publicId }: CountersEntry): string {
  return `the key ${publicId} is deactivated in this file, and was enabled here since an import disabled it: it stays active; if it should not be, yubikey-otp keys disable ${quotePublicId(publicId)}`;
}
