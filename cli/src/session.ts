import { YubikeyError } from 'passport-yubikey-otp';
import { type RecordStore, SealedClientStore, SealedKeyStore } from 'passport-yubikey-otp/stores';
import { type Database, type OpenDatabaseOptions, openDatabase, reasonOf } from './database.js';
import { Refusal, SetupError } from './failure.js';
import type { GlobalOptions } from './global-options.js';
import { readKeyring } from './master-key.js';
import { isUnopened } from './unopened.js';

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
 * beside those that it does not open. Records that are damaged are no reason to refuse, as long as others open.
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
    const secrets = {
      database,
      keys: new SealedKeyStore(database.keys, keyring),
      clients: new SealedClientStore(database.clients, keyring),
    };
    await proveMasterKey(secrets);
    await work(secrets);
  });
}

/** How many records of each kind are tried: so many are not all damaged, so none that opens means a wrong master key. */
const TRIED = 100;

async function proveMasterKey({ database, keys, clients }: Secrets): Promise<void> {
  const unopened: YubikeyError[] = [];
  const attempts = [
    firstThatOpens(database.keys, keys, ({ publicId }) => publicId, unopened),
    firstThatOpens(database.clients, clients, ({ id }) => id, unopened),
  ];
  if ((await Promise.all(attempts)).includes(true)) return;
  const [first] = unopened;
  if (!first) return;
  throw new SetupError(
    `The master key does not fit this database: nothing that was tried opens (${unopened.length} of its keys and clients). ` +
      `${first.message}. Give the master key that sealed them; what is damaged, forget with: yubikey-otp keys delete`,
  );
}

/** Whether one of the first records opens. What does not open is added to `unopened`. */
export async function firstThatOpens<Stored>(
  raw: Pick<RecordStore<Stored, unknown>, 'list'>,
  sealed: Pick<RecordStore<Stored, unknown>, 'get'>,
  idOf: (record: Stored) => string,
  unopened: YubikeyError[],
): Promise<boolean> {
  const { records } = await raw.list({ limit: TRIED });
  for (const record of records) {
    try {
      if (await sealed.get(idOf(record))) return true;
    } catch (error) {
      if (!isUnopened(error)) throw error;
      unopened.push(error);
    }
  }
  return false;
}

function isOurs(error: unknown): boolean {
  return error instanceof SetupError || error instanceof Refusal || error instanceof YubikeyError;
}
