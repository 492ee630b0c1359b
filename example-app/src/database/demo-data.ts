import { resolve } from 'node:path';
import type { Kysely } from 'kysely';
import type { KeyStore } from 'passport-yubikey-otp/stores';
import type { Accounts } from '../accounts/accounts.js';
import { type Config, ConfigError, DEMO_DATABASE_FILE } from '../config.js';
import type { Tables } from './tables.js';

/** Every demo has her, and tells everybody her password. */
export const DEMO_USER = { name: 'alice', password: 'wonderland' };

/** How the public IDs of the demo's virtual keys start. No key of a maker starts so. */
export const DEMO_PUBLIC_ID = 'fictive';

interface Data {
  db: Kysely<Tables>;
  keys: KeyStore;
  accounts: Accounts;
}

/**
 * Refuses the file that a demo is kept in by default, for an app that is no demo.
 *
 * @throws ConfigError
 */
export function refuseDemoFile({ databaseUrl, databaseFile }: Config): void {
  if (databaseUrl || resolve(databaseFile) !== DEMO_DATABASE_FILE) return;
  throw new ConfigError([
    `${databaseFile} is the demo's database: set DATABASE_FILE to another one, such as app.db`,
  ]);
}

/**
 * Refuses a database in which a demo has left anything, under whatever name, for an app that is no demo.
 *
 * @throws ConfigError with all that was found
 */
export async function refuseDemoData({ db, keys, accounts }: Data): Promise<void> {
  const found: string[] = [];
  if (await isDemoUser(accounts)) {
    found.push(`the demo's user ${DEMO_USER.name}, whose password everybody knows`);
  }
  if (await hasDemoKeys(db)) found.push('keys whose touches anybody could have from the demo');
  const { records } = await keys.list({ after: DEMO_PUBLIC_ID, limit: 1 });
  if (records.some(({ publicId }) => isDemoKey(publicId)))
    found.push("AES keys of the demo's virtual YubiKeys");
  if (found.length === 0) return;
  throw new ConfigError([
    `The database holds what a demo left: ${found.join('; ')}. Set DATABASE_FILE or DATABASE_URL to one that no demo has used`,
  ]);
}

/**
 * Refuses a database with accounts that are not the demo's, for a demo, which lets everybody in.
 *
 * @throws ConfigError
 */
export async function refuseOtherData({ db, accounts }: Pick<Data, 'db' | 'accounts'>): Promise<void> {
  const anybody = await db.selectFrom('accounts').select('id').limit(1).executeTakeFirst();
  if (!anybody || (await isDemoUser(accounts))) return;
  throw new ConfigError([
    "The database holds accounts that are not the demo's, and demo mode would let everybody in: set YUBICO_CLIENT_ID and YUBICO_API_KEY, or DATABASE_FILE or DATABASE_URL to a database of the demo's own",
  ]);
}

async function isDemoUser(accounts: Accounts): Promise<boolean> {
  const { name, password } = DEMO_USER;
  return (
    (await accounts.findByName(name)) !== undefined &&
    (await accounts.checkPassword(name, password)) !== undefined
  );
}

/** In the drawer of virtual keys, or in an account. */
async function hasDemoKeys(db: Kysely<Tables>): Promise<boolean> {
  const drawn = await db.selectFrom('demo_yubikeys').select('public_id').limit(1).executeTakeFirst();
  const owned = await db
    .selectFrom('account_keys')
    .select('public_id')
    .where('public_id', 'like', `${DEMO_PUBLIC_ID}%`)
    .limit(1)
    .executeTakeFirst();
  return (drawn ?? owned) !== undefined;
}

function isDemoKey(publicId: string): boolean {
  return publicId.startsWith(DEMO_PUBLIC_ID);
}
