import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import LibsqlDatabase from 'libsql';
import type { KeyRecord } from 'passport-yubikey-otp/stores';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it } from 'vitest';
import { commandOn, hex, temporaryFolder } from '../support/command.js';
import { masterKey, newCommand, openStores } from '../support/stores.js';

const keyLine = ({ publicId, privateId, aesKey }: SoftYubikey) =>
  `0,${publicId},${hex(privateId)},${hex(aesKey)},,,\n`;

/** Reads all files of a database, except the -shm file, whose contents do not matter. */
const readFiles = (db: string) =>
  readdirSync(dirname(db))
    .filter((name) => name.startsWith(basename(db)) && !name.endsWith('-shm'))
    .map((name) => {
      const path = join(dirname(db), name);
      return { name, bytes: readFileSync(path).toString('base64'), changed: statSync(path).mtimeMs };
    });

function runSql(path: string, sql: string): void {
  const database = new LibsqlDatabase(path);
  database.exec(sql);
  database.close();
}

const IMPORTS: readonly (readonly [string, string])[] = [
  ['keys', keyLine(new SoftYubikey())],
  ['counters', '1,1359470658,1359470659,cccccccccccb,9,1,32729,4,aoincuhfuahsaoin,\n'],
  ['clients', '1,VcQW5h8W5DJnfOEkGUKR1jGbSgU=\n'],
];

describe('a dry run on SQLite', () => {
  it.each(IMPORTS)(
    'of %s changes nothing in the database, and leaves no file beside it',
    async (noun, input) => {
      const command = newCommand();
      await command.json('keys', 'new');
      const before = readFiles(command.db);
      expect(before).toHaveLength(1);
      const ended = await command([noun, 'import', '--dry-run', '-'], { input });
      expect(ended).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(/nothing was written: 1 (added|raised)/),
      });
      expect(readFiles(command.db)).toEqual(before);
      expect(existsSync(`${command.db}-shm`)).toBe(false);
    },
  );

  it.each([
    ['an empty file', (path: string) => writeFileSync(path, '')],
    ['a database of something else', (path: string) => runSql(path, 'CREATE TABLE other (id)')],
  ])('treats %s as an empty database', async (_, make) => {
    const db = join(temporaryFolder(), 'other.db');
    make(db);
    const before = readFiles(db);
    for (const [noun, input] of IMPORTS) {
      const ended = await commandOn(db, masterKey())([noun, 'import', '--dry-run', '-'], { input });
      expect(ended).toMatchObject({ code: 0, stderr: expect.stringMatching(/: 1 (added|raised)/) });
    }
    expect(readFiles(db)).toEqual(before);
  });

  it('reads records that are only in the log of another process, and leaves them there', async () => {
    const command = newCommand();
    await command.json('keys', 'new');
    const yubikey = new SoftYubikey();
    const { keys } = await openStores(command);
    await keys.add(yubikey);
    const before = readFiles(command.db);
    expect(before).toHaveLength(2);
    const ended = await command(['keys', 'import', '--dry-run', '-'], { input: keyLine(yubikey) });
    expect(ended.stderr).toContain('1 already there');
    expect(readFiles(command.db)).toEqual(before);

    const crashed = commandOn(join(temporaryFolder(), 'keys.db'), command.masterKey);
    for (const end of ['', '-wal']) copyFileSync(command.db + end, crashed.db + end);
    const left = readFiles(crashed.db);
    expect(
      (await crashed(['keys', 'import', '--dry-run', '-'], { input: keyLine(yubikey) })).stderr,
    ).toContain('1 already there');
    expect(readFiles(crashed.db)).toEqual(left);
  });

  it('says what to do if the database would have to be changed to be read', async () => {
    const command = newCommand();
    await command.json('keys', 'new');
    runSql(command.db, 'PRAGMA journal_mode = DELETE');
    const before = readFiles(command.db);
    const dryRun = () => command(['counters', 'import', '--dry-run', '-'], { input: '' });
    expect(await dryRun()).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('yubikey-otp keys list'),
    });
    expect(readFiles(command.db)).toEqual(before);
    await command(['keys', 'list']);
    expect(await dryRun()).toMatchObject({ code: 0 });
  });

  it('goes on after a stored key that does not open, as the import does', async () => {
    const command = newCommand();
    await command.json('keys', 'new');
    const [broken, fresh] = [new SoftYubikey(), new SoftYubikey()];
    const { keys, raw } = await openStores(command);
    await keys.add(broken);
    await raw.keys.replace((await raw.keys.get(broken.publicId)) as KeyRecord, { aesKey: Buffer.alloc(60) });
    const input = keyLine(broken) + keyLine(fresh);
    const dryRun = await command(['keys', 'import', '--dry-run', '--json', '-'], { input });
    const run = await command(['keys', 'import', '--json', '-'], { input });
    expect([dryRun.code, run.code]).toEqual([1, 1]);
    expect(JSON.parse(run.stdout)).toMatchObject({ added: 1, refused: 1 });
    expect(JSON.parse(dryRun.stdout)).toEqual({ ...JSON.parse(run.stdout), dryRun: true });
  });
});
