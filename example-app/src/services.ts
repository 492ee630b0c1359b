import type { Store } from 'express-session';
import type { Verifier } from 'passport-yubikey-otp';
import type { KeyStore } from 'passport-yubikey-otp/stores';
import { type Logger, pino } from 'pino';
import { AccountKeys } from './accounts/account-keys.js';
import { Accounts } from './accounts/accounts.js';
import { Activity } from './accounts/activity.js';
import { Passwords } from './accounts/passwords.js';
import { RecoveryCodes } from './accounts/recovery-codes.js';
import type { Config } from './config.js';
import { refuseDemoData, refuseDemoFile } from './database/demo-data.js';
import { openDatabase } from './database/open.js';
import { type Demo, openDemo } from './demo/demo.js';
import { createLimits, type Limits } from './limits.js';
import { openRedis } from './redis.js';
import { createSessionStore } from './sessions.js';
import { createCloudVerifier, createKsmVerifier } from './verifier.js';

/** Everything the routes use. */
export interface Services {
  accounts: Accounts;
  accountKeys: AccountKeys;
  recoveryCodes: RecoveryCodes;
  activity: Activity;
  verifier: Verifier;
  /** The AES keys of YubiKeys. Empty if validation servers check the OTPs. */
  keys: KeyStore;
  sessionStore: Store;
  limits: Limits;
  /** In demo mode only. */
  demo?: Demo | undefined;
  close(): Promise<void>;
}

interface ServiceOptions {
  /** The audit log. Default: JSON lines on stdout. */
  log?: Logger | undefined;
  passwords?: Passwords | undefined;
}

/** Opens the databases, and creates the services that use them. */
export async function openServices(
  config: Config,
  { log = pino(), passwords = new Passwords() }: ServiceOptions = {},
): Promise<Services> {
  const cloud = config.cloud && createCloudVerifier(config.cloud);
  if (cloud) refuseDemoFile(config);
  const { db, yubikeys, pool, close: closeDatabase } = await openDatabase(config);

  const accounts = new Accounts(db, passwords);
  const accountKeys = new AccountKeys(db);
  let demo: Demo | undefined;
  try {
    if (cloud) await refuseDemoData({ db, keys: yubikeys.keys, accounts });
    else demo = await openDemo({ db, keys: yubikeys.keys, accounts, accountKeys });
  } catch (error) {
    await closeDatabase();
    throw error;
  }
  const redis = config.redisUrl ? await openRedis(config.redisUrl) : undefined;
  return {
    accounts,
    accountKeys,
    recoveryCodes: new RecoveryCodes(db),
    activity: new Activity(db, log),
    verifier: cloud ?? createKsmVerifier(yubikeys),
    keys: yubikeys.keys,
    sessionStore: createSessionStore({ redis, pool }),
    limits: createLimits(redis),
    demo,
    async close() {
      await cloud?.close();
      await redis?.close();
      await closeDatabase();
    },
  };
}
