import { YubikeyError } from 'passport-yubikey-otp';
import { SealedClientStore, SealedKeyStore } from 'passport-yubikey-otp/stores';
import { type Database, type OpenDatabaseOptions, openDatabase, reasonOf } from './database.js';
import { Refusal, SetupError } from './failure.js';
import type { GlobalOptions } from './global-options.js';
import { readKeyring } from './master-key.js';

/** What every command takes, and whether it is a service. */
type SessionOptions = GlobalOptions & Pick<OpenDatabaseOptions, 'longLived'>;
type IfMissing = OpenDatabaseOptions['ifMissing'];

/** A database, and the stores that open what is sealed in it. */
export interface Secrets {
  readonly database: Database;
  readonly keys: SealedKeyStore;
  readonly clients: SealedClientStore;
}

/** Opens the database, works with it as it is, its secrets sealed, and closes it again whatever happens. */
export async function withDatabase(
  { db, allowReplayAfterCrash = false, longLived }: SessionOptions,
  ifMissing: IfMissing,
  work: (database: Database) => Promise<void>,
): Promise<void> {
  const database = await openDatabase(db, { ifMissing, allowReplayAfterCrash, longLived });
  try {
    await work(database);
  } catch (error) {
    if (isOurs(error)) throw error;
    throw new SetupError(`The database failed: ${reasonOf(error, db)}`);
  } finally {
    await database.close();
  }
}

/**
 * Opens the database and what is sealed in it. The master key is tried first: a wrong one would seal new records
 * beside those that it does not open.
 *
 * @throws SetupError without a master key, or with one that does not fit.
 */
export async function withSecrets(
  options: SessionOptions,
  ifMissing: IfMissing,
  work: (secrets: Secrets) => Promise<void>,
): Promise<void> {
  const keyring = await readKeyring(options.masterKeyFile);
  await withDatabase(options, ifMissing, async (database) => {
    const keys = new SealedKeyStore(database.keys, keyring);
    const clients = new SealedClientStore(database.clients, keyring);
    await proveMasterKey(keys, clients);
    await work({ database, keys, clients });
  });
}

async function proveMasterKey(...stores: { list(options: { limit: number }): Promise<unknown> }[]) {
  try {
    for (const store of stores) await store.list({ limit: 1 });
  } catch (error) {
    if (error instanceof YubikeyError && ['MASTER_KEY_UNKNOWN', 'SEAL_BROKEN'].includes(error.code)) {
      throw new SetupError(`The master key does not fit this database. ${error.message}`);
    }
    throw error;
  }
}

function isOurs(error: unknown): boolean {
  return error instanceof SetupError || error instanceof Refusal || error instanceof YubikeyError;
}
