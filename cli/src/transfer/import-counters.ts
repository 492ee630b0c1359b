import { type Counters, isNewer } from 'passport-yubikey-otp/protocol';
import type { CounterStore, KeyRecord, KeyStore } from 'passport-yubikey-otp/stores';
import { quoteForShell } from '../database/shell.js';
import type { Outcome } from './import-lines.js';
import type { CountersEntry } from './ykval.js';

export interface CountersTarget {
  counters: Pick<CounterStore, 'advance' | 'get'>;
  /** For disabling keys that were deactivated elsewhere. No secret is read. */
  keys: Pick<KeyStore, 'get' | 'replace'>;
}

/**
 * Raises the counters of a key, and never lowers them. A deactivated key is disabled, unless an earlier import has
 * disabled it and the counters are not newer: then somebody has enabled it here on purpose.
 */
export async function importCounters(target: CountersTarget, entry: CountersEntry): Promise<Outcome> {
  if (entry.active) return { tally: await raise(target.counters, entry) };
  const key = await target.keys.get(entry.publicId);
  return key ? importDeactivated(target, entry, key) : refuse(entry, explainNotStored(entry));
}

/** Disables the key before anything else is written, so that an interrupted import can be run again. */
async function importDeactivated(
  target: CountersTarget,
  entry: CountersEntry,
  key: KeyRecord,
): Promise<Outcome> {
  const mark = formatImportMark(key);
  const wasEnabledSince =
    key.active &&
    (await target.counters.get(mark)) !== undefined &&
    !(await hasNewerCounters(target.counters, entry));
  const disabled = !wasEnabledSince && (await disable(target.keys, entry.publicId));
  const tally = await raise(target.counters, entry);
  await target.counters.advance(mark, ZERO);
  const problem = wasEnabledSince ? explainStaysActive(entry) : undefined;
  return entry.problem === undefined
    ? { tally, disabled, problem }
    : {
        ...refuse(
          entry,
          problem ?? `the key ${entry.publicId} is deactivated in this line, and disabled here`,
        ),
        disabled,
      };
}

/**
 * The id under which the counter store remembers that an import has disabled this record; it cannot be a public ID. A key
 * that is deleted and stored again is another record, and is disabled again.
 */
function formatImportMark({ publicId, createdAt }: KeyRecord): string {
  return `deactivated:${publicId}:${createdAt.getTime()}`;
}

const ZERO: Counters = { usageCounter: 0, sessionUse: 0, timestamp: 0 };

async function hasNewerCounters(
  store: Pick<CounterStore, 'get'>,
  { publicId, counters }: CountersEntry,
): Promise<boolean> {
  return counters !== undefined && isNewer(counters, await store.get(publicId));
}

async function raise(
  store: Pick<CounterStore, 'advance'>,
  { publicId, counters, nonce, acceptedAt }: CountersEntry,
): Promise<'raised' | 'unchanged'> {
  const isRaised = counters && (await store.advance(publicId, counters, nonce, acceptedAt)).advanced;
  return isRaised ? 'raised' : 'unchanged';
}

/** Disables a key. Resolves with whether it was active. */
async function disable(keys: CountersTarget['keys'], publicId: string): Promise<boolean> {
  for (;;) {
    const key = await keys.get(publicId);
    if (!key?.active) return false;
    if (await keys.replace(key, { active: false })) return true;
  }
}

function refuse({ problem }: CountersEntry, reason: string): Outcome {
  return { tally: 'refused', problem: problem === undefined ? reason : `${problem}; ${reason}` };
}

function explainNotStored({ publicId }: CountersEntry): string {
  return `the key ${publicId} is deactivated in this file, but is not stored here: import the keys, then this file again`;
}

function explainStaysActive({ publicId }: CountersEntry): string {
  return `the key ${publicId} is deactivated in this file, but was enabled here after an import had disabled it, so it stays active; to disable it: yubikey-otp keys disable ${quoteForShell(publicId)}`;
}
