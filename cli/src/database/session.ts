import { existsSync } from 'node:fs';
import { YubikeyError } from 'passport-yubikey-otp';
import { type RecordStore, SealedClientStore, SealedKeyStore } from 'passport-yubikey-otp/stores';
import { Refusal, SetupError } from '../terminal/failure.js';
import type { GlobalOptions } from '../terminal/global-options.js';
import {
  type Database,
  isStoreFault,
  isUrl,
  type OpenDatabaseOptions,
  openDatabase,
  reasonOf,
} from './database.js';
import { type FoundKeyring, NoMasterKey, readKeyring } from './master-key.js';
import { sealedBy, TRIED, wayToTheOldMasterKey } from './sealed-by.js';
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
    if (isOurs(error) && !isStoreFault(error)) throw error;
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

/** Where there is none, what is in the database decides whether to make one or to look for the old one. */
async function findKeyring(options: SessionOptions, ifMissing: IfMissing): Promise<FoundKeyring> {
  try {
    return await readKeyring(options.masterKeyFile);
  } catch (error) {
    if (!(error instanceof NoMasterKey)) throw error;
    throw new SetupError(`${error.message}. ${await wayOutOf(error, options, ifMissing)}`);
  }
}

async function wayOutOf(
  { remedy }: NoMasterKey,
  { db, allowReplayAfterCrash }: SessionOptions,
  ifMissing: IfMissing,
): Promise<string> {
  let way = remedy;
  // Nothing is made only to be looked at.
  const isNotMadeYet = ifMissing === 'create' && !existsSync(db);
  const options = { db, allowReplayAfterCrash: allowReplayAfterCrash ?? false };
  await withDatabase(options, isUrl(db) || isNotMadeYet ? 'pretend' : ifMissing, async (database) => {
    const sealed = await sealedBy(database);
    if (sealed.hasRecords) way = wayToTheOldMasterKey(sealed);
  });
  return way;
}

async function proveMasterKey({ database, keys, clients }: Secrets, source: string): Promise<void> {
  const unopened: YubikeyError[] = [];
  const attempts = [
    firstThatOpens(database.keys, keys, ({ publicId }) => publicId, unopened),
    firstThatOpens(database.clients, clients, ({ id }) => id, unopened),
  ];
  if ((await Promise.all(attempts)).includes(true)) return;
  if (unopened.length === 0) return;
  throw new SetupError(
    `The master key in ${source} does not fit this database: nothing that was tried opens (${unopened.length} of its keys and clients). ` +
      `${wayToTheOldMasterKey(await sealedBy(database))}.${unopened.some(isBroken) ? ' If this is that master key, the database is damaged: restore it from a backup' : ''}`,
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

const isBroken = ({ code }: YubikeyError) => code === 'SEAL_BROKEN';

function isOurs(error: unknown): boolean {
  return error instanceof SetupError || error instanceof Refusal || error instanceof YubikeyError;
}
