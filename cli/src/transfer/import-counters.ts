import type { CounterStore, KeyStore } from 'passport-yubikey-otp/stores';
import { argumentOf } from '../public-id.js';
import type { Outcome } from './import-lines.js';
import type { CountersEntry } from './ykval.js';

export interface CountersTarget {
  counters: Pick<CounterStore, 'advance'>;
  /** To disable what was deactivated elsewhere; no secret is read. */
  keys: Pick<KeyStore, 'get' | 'replace'>;
}

/**
 * Raises the counters of a key, never lowers them. A key that was deactivated is disabled, unless its counters are no
 * news: then the file may be an old one, and the key enabled since.
 */
export async function importCounters(target: CountersTarget, entry: CountersEntry): Promise<Outcome> {
  const { publicId, counters, active } = entry;
  const key = active ? undefined : await target.keys.get(publicId);
  // Before the counters are raised: after that, the file that is imported again would have no news.
  if (!active && !key) {
    const problem = `the key ${publicId} is deactivated in this file, but is not stored here: import the keys, then this file again`;
    return { tally: 'refused', problem };
  }
  const isNews = await advance(target.counters, entry);
  const tally = isNews ? 'raised' : 'unchanged';
  if (!key?.active) return { tally };
  if (isNews || !counters) {
    await disable(target.keys, publicId);
    return { tally };
  }
  return {
    tally,
    problem: `the key ${publicId} is deactivated in this file and active here, where it was used or enabled since: if it should not be, yubikey-otp keys disable ${argumentOf(publicId)}`,
  };
}

async function advance(
  store: CountersTarget['counters'],
  { publicId, counters, nonce, acceptedAt }: CountersEntry,
): Promise<boolean> {
  return counters !== undefined && (await store.advance(publicId, counters, nonce, acceptedAt)).advanced;
}

async function disable(keys: CountersTarget['keys'], publicId: string): Promise<void> {
  for (;;) {
    const key = await keys.get(publicId);
    if (!key?.active || (await keys.replace(key, { active: false }))) return;
  }
}
