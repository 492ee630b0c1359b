import type { CounterStore, KeyStore } from 'passport-yubikey-otp/stores';
import type { Outcome } from './import-lines.js';
import type { CountersEntry } from './ykval.js';

export interface CountersTarget {
  counters: Pick<CounterStore, 'advance'>;
  /** To disable what was deactivated elsewhere; no secret is read. */
  keys: Pick<KeyStore, 'get' | 'replace'>;
}

/** Raises the counters of a key, never lowers them, and disables it where it was deactivated. */
export async function importCounters(target: CountersTarget, entry: CountersEntry): Promise<Outcome> {
  const { publicId, counters, nonce, acceptedAt, active } = entry;
  const advance = counters && (await target.counters.advance(publicId, counters, nonce, acceptedAt));
  const tally = advance?.advanced ? 'raised' : 'unchanged';
  if (active || (await disable(target.keys, publicId))) return { tally };
  return {
    tally,
    problem: `the key ${publicId} is deactivated in this file, but is not stored here: import the keys, then this file again`,
  };
}

/** False where there is no such key. */
async function disable(keys: Pick<KeyStore, 'get' | 'replace'>, publicId: string): Promise<boolean> {
  for (;;) {
    const key = await keys.get(publicId);
    if (!key?.active) return key !== undefined;
    if (await keys.replace(key, { active: false })) return true;
  }
}
