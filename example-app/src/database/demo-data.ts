import { resolve } from 'node:path';
import type { Kysely } from 'kysely';
import type { KeyStore } from 'passport-yubikey-otp/stores';
import type { Accounts } from '../accounts/accounts.js';
import { type Config, ConfigError, DEMO_DATABASE_FILE } from '../config.js';
import { DEMO_USER } from './demo-user.js';
import type { Tables } from './tables.js';

/** Prefix of the public IDs of the demo's virtual keys. No manufactured key has it. */
export const DEMO_PUBLIC_ID = 'fictive';

interface DatabaseContent {
  db: Kysely<Tables>;
  keys: KeyStore;
  accounts: Accounts;
}

/**
 * Refuses to open the demo's default database file outside demo mode.
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
 * Refuses, outside demo mode, a database that contains data of a demo, whatever the file is called.
 *
 * @throws ConfigError listing everything that was found
 */
export async function refuseDemoData({ db, keys, accounts }: DatabaseContent): Promise<void> {
  const found: string[] = [];
  if (await isDemoUser(accounts)) {
    found.push(`the demo's user ${DEMO_USER.name}, whose password everybody knows`);
  }
  if (await hasDemoKeys(db)) found.push('keys whose OTPs anybody can get from the demo');
  const { records } = await keys.list({ after: DEMO_PUBLIC_ID, limit: 1 });
  if (records.some(({ publicId }) => isDemoKey(publicId)))
    found.push("AES keys of the demo's virtual YubiKeys");
  if (found.length === 0) return;
  throw new ConfigError([
    `The database contains data of a demo: ${found.join('; ')}. Set DATABASE_FILE or DATABASE_URL to one that no demo has used`,
  ]);
}

/**
 * Refuses, in demo mode, a database with the accounts of a real app: demo mode would let everybody in.
 *
 * @throws ConfigError
 */
export async function refuseOtherData({
  db,
  accounts,
}: Pick<DatabaseContent, 'db' | 'accounts'>): Promise<void> {
  const anyAccount = await db.selectFrom('accounts').select('id').limit(1).executeTakeFirst();
  if (!anyAccount || (await isDemoUser(accounts))) return;
  throw new ConfigError([
    "The database holds accounts that are not the demo's, and demo mode would let everybody in: set YUBICO_CLIENT_ID and YUBICO_API_KEY, or set DATABASE_FILE or DATABASE_URL to a database for the demo alone",
  ]);
}

async function isDemoUser(accounts: Accounts): Promise<boolean> {
  const { name, password } = DEMO_USER;
  return (
    (await accounts.findByName(name)) !== undefined &&
    (await accounts.checkPassword(name, password)) !== undefined
  );
}

/** Whether there are virtual keys, in the demo's own table or in an account. */
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
