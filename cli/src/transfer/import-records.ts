import { timingSafeEqual } from 'node:crypto';
import type { ClientStore, KeyRecord, KeyStore } from 'passport-yubikey-otp/stores';
import { quoteForShell } from '../database/shell.js';
import { isUnopened } from '../database/unopened.js';
import type { Outcome } from './import-lines.js';
import type { KeyEntry } from './key-columns.js';
import type { ClientEntry } from './ykval-clients.js';

/** Adds a key. If its public ID is taken, the stored key does not change. */
export async function importKey(keys: Pick<KeyStore, 'add' | 'get'>, entry: KeyEntry): Promise<Outcome> {
  const { publicId } = entry;
  if (await keys.add(entry)) return { tally: 'added' };
  const stored = await ignoreUnopened(keys.get(publicId));
  if (!stored)
    return conflict(
      `the key ${publicId} is stored already and does not open: to see why, run yubikey-otp keys show ${quoteForShell(publicId)}`,
    );
  const difference = describeDifference(stored, entry);
  if (difference !== undefined) return conflict(`the key ${publicId} is stored already ${difference}`);
  if (entry.active || !stored.active) return { tally: 'already there' };
  const problem = `the key ${publicId} is disabled in this file and active here: to disable it, run yubikey-otp keys disable ${quoteForShell(publicId)}`;
  return { tally: 'already there', problem };
}

const COUNTERS_STAY =
  'a YubiKey that was programmed again needs another public ID, because the counters stay';

/** Describes how the stored key differs, and what to do about it. */
function describeDifference(
  stored: KeyRecord,
  { publicId, aesKey, privateId }: KeyEntry,
): string | undefined {
  if (!isSame(stored.aesKey, aesKey)) return `with another AES key: ${COUNTERS_STAY}`;
  if (privateId === undefined || isSame(stored.privateId, privateId)) return undefined;
  return stored.privateId
    ? `with another private ID: ${COUNTERS_STAY}`
    : `without a private ID: to add it, run yubikey-otp keys pin ${quoteForShell(publicId)} and touch the key`;
}

/** Adds a client. If its id is taken, the stored client does not change. */
export async function importClient(
  clients: Pick<ClientStore, 'add' | 'get'>,
  entry: ClientEntry,
): Promise<Outcome> {
  if (await clients.add(entry)) return { tally: 'added' };
  const stored = await ignoreUnopened(clients.get(entry.id));
  if (!stored) return conflict(`the client ${entry.id} is stored already and does not open`);
  if (!isSame(stored.apiKey, entry.apiKey))
    return conflict(`the client ${entry.id} is stored already with another API key`);
  if (entry.active || !stored.active) return { tally: 'already there' };
  const problem = `the client ${entry.id} is disabled in this file and active here: to disable it, run yubikey-otp clients disable ${entry.id}`;
  return { tally: 'already there', problem };
}

function conflict(problem: string): Outcome {
  return { tally: 'refused', problem };
}

/** Resolves with undefined for a record that does not open: it must not stop the whole import. */
async function ignoreUnopened<Stored>(record: Promise<Stored | undefined>): Promise<Stored | undefined> {
  try {
    return await record;
  } catch (error) {
    if (isUnopened(error)) return undefined;
    throw error;
  }
}

function isSame(one: Uint8Array | undefined, other: Uint8Array): boolean {
  return one !== undefined && one.length === other.length && timingSafeEqual(one, other);
}
