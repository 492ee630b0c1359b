import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import LibsqlDatabase from 'libsql';
import { newMasterKey, parseKeyring, SqliteStore } from 'passport-yubikey-otp/stores';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createMasterKeyFile } from '../../src/database/master-key.js';
import { run, temporaryFolder } from '../support/command.js';

const masterKey = (id: string) => `${id}:${newMasterKey().toString('base64')}\n`;

/** The id of the master key that sealed the key in a database, which what it sealed begins with. */
async function masterKeyIdIn(path: string): Promise<string | undefined> {
  const database = new LibsqlDatabase(path);
  onTestFinished(() => void database.close());
  const store = new SqliteStore({ database });
  await store.migrate();
  const [key] = (await store.keys.list()).records;
  const [, length = 0] = key?.aesKey ?? [];
  return Buffer.from(key?.aesKey.subarray(2, 2 + length) ?? []).toString();
}

describe('the default master key file', () => {
  it('is used if neither --master-key-file nor YUBIKEY_MASTER_KEY is given', async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'yubikey-otp.master-key'), masterKey('default'), { mode: 0o600 });
    writeFileSync(join(cwd, 'named-file'), masterKey('named'), { mode: 0o600 });
    const env = { YUBIKEY_MASTER_KEY: masterKey('environment') };
    for (const [args, options, rightId] of [
      [['--db', 'default.db'], { cwd }, 'default'],
      [['--db', 'empty.db'], { cwd, env: { YUBIKEY_MASTER_KEY: ' ' } }, 'default'],
      [['--db', 'environment.db'], { cwd, env }, 'environment'],
      [['--db', 'named.db', '--master-key-file', 'named-file'], { cwd, env }, 'named'],
    ] as const) {
      expect(await run(['keys', 'new', ...args], options)).toMatchObject({ code: 0 });
      expect([args, await masterKeyIdIn(join(cwd, args[1]))]).toEqual([args, rightId]);
    }
  });

  it('is named if there is no master key at all, and if other users can read it', async () => {
    const cwd = temporaryFolder();
    expect(await run(['keys', 'new'], { cwd })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('master-key new > ./yubikey-otp.master-key'),
    });
    expect(readdirSync(cwd)).toEqual([]);
    writeFileSync(join(cwd, 'yubikey-otp.master-key'), masterKey('open'), { mode: 0o644 });
    expect(await run(['keys', 'new'], { cwd })).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('chmod 600 ./yubikey-otp.master-key'),
    });
  });
});

describe('createMasterKeyFile', () => {
  it('makes one complete file that only its owner can read, however many processes try', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'master-key');
    const made = await Promise.all(Array.from({ length: 20 }, () => createMasterKeyFile(path)));
    expect(made.filter((one) => one)).toHaveLength(1);
    const text = readFileSync(path, 'utf8');
    expect(() => parseKeyring(text)).not.toThrow();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['master-key']);
    expect(await createMasterKeyFile(path)).toBe(false);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('says what to do if it cannot', async () => {
    await expect(createMasterKeyFile('/nonexistent/master-key')).rejects.toThrow(
      /cannot be made \(ENOENT\): give a master key with --master-key-file/,
    );
  });
});
