import { join } from 'node:path';
import LibsqlDatabase from 'libsql';
import {
  type KeyRecord,
  newMasterKey,
  parseKeyring,
  SealedKeyStore,
  SqliteStore,
} from 'passport-yubikey-otp/stores';
import type { SoftYubikey } from 'passport-yubikey-otp/testing';
import { onTestFinished } from 'vitest';
import { type CommandOn, commandOn, hex, temporaryFolder } from './command.js';

export const masterKey = (id = 'first') => `${id}:${newMasterKey().toString('base64')}`;

/** The command on a new database with a new master key. */
export const newCommand = () => commandOn(join(temporaryFolder(), 'keys.db'), masterKey());

/** The answers to the questions of `keys add`. */
export const secretAnswers = ({ aesKey, privateId }: SoftYubikey) => `${hex(aesKey)}\n${hex(privateId)}\n`;

/** Opens the stores of the command's database with the library, as an application does. */
export async function openStores({ db, masterKey }: CommandOn) {
  const database = new LibsqlDatabase(db);
  onTestFinished(() => void database.close());
  const store = new SqliteStore({ database });
  await store.migrate();
  const keys = new SealedKeyStore(store.keys, parseKeyring(masterKey));
  return { keys, counters: store.counters, raw: store };
}

export async function everyKey(command: CommandOn): Promise<Partial<KeyRecord>[]> {
  const { keys } = await openStores(command);
  const { records } = await keys.list({ limit: 10_000 });
  return records.map(({ revision: _, createdAt: __, ...key }) => ({
    ...key,
    aesKey: Buffer.from(key.aesKey),
    privateId: key.privateId && Buffer.from(key.privateId),
  }));
}
