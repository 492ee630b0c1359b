import { masterKeyIdOf } from 'passport-yubikey-otp/stores';
import type { Database } from './database.js';

/** How many records of each kind are tried: so many are not all damaged, so none that opens means a wrong master key. */
export const TRIED = 100;

/** What the first records of a database show without a master key. */
export interface SealedBy {
  readonly hasRecords: boolean;
  readonly masterKeyIds: readonly string[];
}

/** Looks which master keys sealed what is in a database. */
export async function sealedBy({ keys, clients }: Pick<Database, 'keys' | 'clients'>): Promise<SealedBy> {
  const secrets = [
    ...(await keys.list({ limit: TRIED })).records.map(({ aesKey }) => aesKey),
    ...(await clients.list({ limit: TRIED })).records.map(({ apiKey }) => apiKey),
  ];
  const ids = secrets.map(masterKeyIdOf).filter((id): id is string => id !== undefined);
  return { hasRecords: secrets.length > 0, masterKeyIds: [...new Set(ids)] };
}

/** How to get at what is sealed. A new master key opens nothing, and what is deleted cannot be had back. */
export function wayToTheOldMasterKey({ masterKeyIds }: SealedBy): string {
  if (masterKeyIds.length === 0) {
    return 'Its keys and clients are not sealed, so no master key opens them: restore the database from a backup, or use it with the program that stored them';
  }
  return (
    `Its keys and clients are sealed with master key ${masterKeyIds.join(' and ')}, and nothing else opens them, no new master key of the same id either. ` +
    'Find the master key file that they were stored with, or a backup of it, and give it with --master-key-file, or its text in YUBIKEY_MASTER_KEY'
  );
}
