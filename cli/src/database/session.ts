import { existsSync } from 'node:fs';
import { YubikeyError } from 'passport-yubikey-otp';
import { type RecordStore, SealedClientStore, SealedKeyStore } from 'passport-yubikey-otp/stores';
import { Refusal, SetupError } from '../terminal/failure.js';
import type { GlobalOptions } from '../terminal/global-options.js';
import {
  type Database,
  explainFailure,
  isStoreFault,
  isUrl,
  type OpenDatabaseOptions,
  openDatabase,
} from './database.js';
import { type FoundKeyring, NoMasterKey, readKeyring } from './master-key.js';
import { adviseOldMasterKey, MAX_TRIED, readSeals } from './seals.js';
import { isUnopened } from './unopened.js';

/** The options of every command, and whether it is a service. */
type SessionOptions = GlobalOptions & Pick<OpenDatabaseOptions, 'longLived'>;
type IfMissing = OpenDatabaseOptions['ifMissing'];

/** A database, and the stores that open its sealed secrets. */
export interface Secrets {
  readonly database: Database;
  readonly keys: SealedKeyStore;
  readonly clients: SealedClientStore;
}

/** Opens the database, works with it without opening secrets, and always closes it. */
export async function withDatabase(
  { db, allowReplayAfterCrash = false, longLived }: SessionOptions,
  ifMissing: IfMissing,
  work: (database: Database) => Promise<void>,
): Promise<void> {
  const database = await openDatabase(db, { ifMissing, allowReplayAfterCrash, longLived });
  try {
    await work(database);
  } catch (error) {
    if (isOurs(error) && !isStoreFault(error)) throw error;
    throw new SetupError(`The database failed: ${explainFailure(error, db)}`);
  } finally {
    await database.close();
  }
}

/**
 * Opens the database and its sealed secrets. The master key is tried first: a wrong one would seal new records beside
 * records that it does not open. Damaged records are accepted as long as others open.
 *
 * @throws SetupError without a master key, or with a wrong one.
 */
export async function withSecrets(
  options: SessionOptions,
  ifMissing: IfMissing,
  work: (secrets: Secrets) => Promise<void>,
): Promise<void> {
  const { keyring, source } = await findKeyring(options, ifMissing);
  await withDatabase(options, ifMissing, async (database) => {
    const secrets = {
      database,
      keys: new SealedKeyStore(database.keys, keyring),
      clients: new SealedClientStore(database.clients, keyring),
    };
    await proveMasterKey(secrets, source);
    await work(secrets);
  });
}

/** If there is no master key, the content of the database decides whether to advise a new one or a search for the old one. */
async function findKeyring(options: SessionOptions, ifMissing: IfMissing): Promise<FoundKeyring> {
  try {
    return await readKeyring(options.masterKeyFile);
  } catch (error) {
    if (!(error instanceof NoMasterKey)) throw error;
    throw new SetupError(`${error.message}. ${await adviseOnMissingMasterKey(error, options, ifMissing)}`);
  }
}

async function adviseOnMissingMasterKey(
  { remedy }: NoMasterKey,
  { db, allowReplayAfterCrash }: SessionOptions,
  ifMissing: IfMissing,
): Promise<string> {
  let way = remedy;
  // A database is not created only to be looked at.
  const isNotMadeYet = ifMissing === 'create' && !existsSync(db);
  const options = { db, allowReplayAfterCrash: allowReplayAfterCrash ?? false };
  await withDatabase(options, isUrl(db) || isNotMadeYet ? 'pretend' : ifMissing, async (database) => {
    const sealed = await readSeals(database);
    if (sealed.hasRecords) way = adviseOldMasterKey(sealed);
  });
  return way;
}

async function proveMasterKey({ database, keys, clients }: Secrets, source: string): Promise<void> {
  const unopened: YubikeyError[] = [];
  const attempts = [
    opensAny(database.keys, keys, ({ publicId }) => publicId, unopened),
    opensAny(database.clients, clients, ({ id }) => id, unopened),
  ];
  if ((await Promise.all(attempts)).includes(true)) return;
  if (unopened.length === 0) return;
  throw new SetupError(
    `The master key in ${source} does not fit this database: it opens none of the ${unopened.length} keys and clients that were tried. ` +
      `${adviseOldMasterKey(await readSeals(database))}${unopened.some(isBroken) ? '. If this is that master key, the database is damaged: restore it from a backup' : ''}`,
  );
}

/** Whether any of the first records opens. The error of each record that does not is added to `unopened`. */
export async function opensAny<Stored>(
  raw: Pick<RecordStore<Stored, unknown>, 'list'>,
  sealed: Pick<RecordStore<Stored, unknown>, 'get'>,
  readId: (record: Stored) => string,
  unopened: YubikeyError[],
): Promise<boolean> {
  const { records } = await raw.list({ limit: MAX_TRIED });
  for (const record of records) {
    try {
      if (await sealed.get(readId(record))) return true;
    } catch (error) {
      if (!isUnopened(error)) throw error;
      unopened.push(error);
    }
  }
  return false;
}

const isBroken = ({ code }: YubikeyError) => code === 'SEAL_BROKEN';

function isOurs(error: unknown): boolean {
  return error instanceof SetupError || error instanceof Refusal || error instanceof YubikeyError;
}
