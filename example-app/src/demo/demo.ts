import type { Kysely } from 'kysely';
import type { KeyStore } from 'passport-yubikey-otp/stores';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import type { Account } from '../accounts/account.js';
import type { AccountKeys } from '../accounts/account-keys.js';
import type { Accounts } from '../accounts/accounts.js';
import { refuseOtherData } from '../database/demo-data.js';
import { DEMO_USER } from '../database/demo-user.js';
import type { Tables } from '../database/tables.js';
import { DemoYubikeys } from './yubikeys.js';

/** A user and virtual YubiKeys, for trying the app out. Remove this folder from your own app. */
export interface Demo {
  name: string;
  password: string;
  yubikeys: DemoYubikeys;
  /** An OTP of a YubiKey that the app does not know. */
  pressStrangersKey(): string;
}

const KEY_NAMES = ['YubiKey', 'Spare'];

interface DemoOptions {
  db: Kysely<Tables>;
  keys: KeyStore;
  accounts: Accounts;
  accountKeys: AccountKeys;
}

/** Creates the user and her keys at the first start; later starts reuse them. */
export async function openDemo({ db, keys, accounts, accountKeys }: DemoOptions): Promise<Demo> {
  await refuseOtherData({ db, accounts });
  const yubikeys = new DemoYubikeys(db, keys);
  let alice: Account | undefined = await accounts.add(DEMO_USER.name, DEMO_USER.password);
  for (const name of KEY_NAMES) {
    const publicId = alice && (await yubikeys.make());
    if (alice && publicId) alice = await accountKeys.add(alice, publicId, name);
  }
  const stranger = new SoftYubikey();
  return { ...DEMO_USER, yubikeys, pressStrangersKey: () => stranger.press() };
}
