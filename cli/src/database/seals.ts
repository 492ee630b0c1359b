import { masterKeyIdOf } from 'passport-yubikey-otp/stores';
import type { Database } from './database.js';

/** The number of records of each kind that are tried: these are not all damaged, so if none opens, the master key is wrong. */
export const MAX_TRIED = 100;

/** What the first records of a database show without a master key. */
export interface Seals {
  readonly hasRecords: boolean;
  readonly masterKeyIds: readonly string[];
}

/** Finds out which master keys sealed the records of a database. */
export async function readSeals({ keys, clients }: Pick<Database, 'keys' | 'clients'>): Promise<Seals> {
  const secrets = [
    ...(await keys.list({ limit: MAX_TRIED })).records.map(({ aesKey }) => aesKey),
    ...(await clients.list({ limit: MAX_TRIED })).records.map(({ apiKey }) => apiKey),
  ];
  const ids = secrets.map(masterKeyIdOf).filter((id): id is string => id !== undefined);
  return { hasRecords: secrets.length > 0, masterKeyIds: [...new Set(ids)] };
}

/** Advises how to find the master key of sealed records: a new one opens nothing, and a deleted record cannot be recovered. */
export function adviseOldMasterKey({ masterKeyIds }: Seals): string {
  if (masterKeyIds.length === 0) {
    return 'The keys and clients in this database are not sealed, so no master key opens them: restore the database from a backup, or use it with the program that stored them';
  }
  return (
    `The keys and clients in this database are sealed with master key ${masterKeyIds.join(' and ')}. Nothing else opens them, not even a new master key with the same id. ` +
    'Find the file of that master key, or a backup of it, and give it with --master-key-file or in YUBIKEY_MASTER_KEY'
  );
}
