import { timingSafeEqual } from 'node:crypto';
import { YubikeyError } from 'passport-yubikey-otp';
import type { ClientStore, KeyStore } from 'passport-yubikey-otp/stores';
import type { Outcome } from './import-lines.js';
import type { KeyEntry } from './key-columns.js';
import type { ClientEntry } from './ykval-clients.js';

/** Adds a key, unless its public ID is taken: then the stored one stays as it is. */
export async function importKey(keys: Pick<KeyStore, 'add' | 'get'>, entry: KeyEntry): Promise<Outcome> {
  const { publicId } = entry;
  if (await keys.add(entry)) return { tally: 'added' };
  const stored = await readable(keys.get(publicId));
  if (!stored) return conflict(`the key ${publicId} is stored already and does not open`);
  const isSameKey = isSame(stored.aesKey, entry.aesKey);
  const isSameId = entry.privateId === undefined || isSame(stored.privateId, entry.privateId);
  if (isSameKey && isSameId) return { tally: 'already there' };
  const what = isSameKey ? 'private ID' : 'AES key';
  return conflict(
    `the key ${publicId} is stored already with another ${what}: to take this one, delete that one first`,
  );
}

/** Adds a client, unless its id is taken: then the stored one stays as it is. */
export async function importClient(
  clients: Pick<ClientStore, 'add' | 'get'>,
  entry: ClientEntry,
): Promise<Outcome> {
  if (await clients.add(entry)) return { tally: 'added' };
  const stored = await readable(clients.get(entry.id));
  if (!stored) return conflict(`the client ${entry.id} is stored already and does not open`);
  if (isSame(stored.apiKey, entry.apiKey)) return { tally: 'already there' };
  return conflict(`the client ${entry.id} is stored already with another API key`);
}

function conflict(problem: string): Outcome {
  return { tally: 'refused', problem };
}

/** Undefined for a record that does not open, which is one line's problem and not the whole import's. */
async function readable<Stored>(record: Promise<Stored | undefined>): Promise<Stored | undefined> {
  try {
    return await record;
  } catch (error) {
    const code = error instanceof YubikeyError ? error.code : undefined;
    if (code === 'SEAL_BROKEN' || code === 'MASTER_KEY_UNKNOWN') return undefined;
    throw error;
  }
}

function isSame(one: Uint8Array | undefined, other: Uint8Array): boolean {
  return one !== undefined && one.length === other.length && timingSafeEqual(one, other);
}
