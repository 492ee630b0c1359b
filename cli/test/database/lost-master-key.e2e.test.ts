import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import LibsqlDatabase from 'libsql';
import { SqliteStore } from 'passport-yubikey-otp/stores';
import { describe, expect, it } from 'vitest';
import { describeWith } from '../../../test/support/programs.js';
import { type Ended, programs, type RunOptions, run, temporaryFolder } from '../support/command.js';
import { masterKey } from '../support/stores.js';

const FILE = 'yubikey-otp.master-key';

/** A folder with a database of keys that the master key `of-2024` in the default file sealed. */
async function folderWithKeys(): Promise<string> {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, FILE), masterKey('of-2024'), { mode: 0o600 });
  expect(await run(['keys', 'new'], { cwd })).toMatchObject({ code: 0 });
  return cwd;
}

/** Whether the words lead to the master key that is needed, and neither to a new one nor to deleting. */
function expectWayToTheOldOne({ code, stdout, stderr }: Ended): void {
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain('sealed with master key of-2024');
  expect(stderr).toMatch(/Find the file of that master key, or a backup of it/);
  expect(stderr).toMatch(/--master-key-file.*YUBIKEY_MASTER_KEY/);
  expect(stderr).not.toMatch(/make one|master-key new|delete|forget/i);
}

const lost = (cwd: string) => rmSync(join(cwd, FILE));

const SITUATIONS: readonly [
  string,
  (cwd: string) => void,
  { args?: string[]; env?: Record<string, string>; says: string },
][] = [
  ['the file is gone', lost, { says: 'There is no master key: neither' }],
  [
    'the file is elsewhere now',
    (cwd) => renameSync(join(cwd, FILE), join(cwd, 'moved')),
    { says: `/${FILE}. The keys and clients in this database` },
  ],
  [
    'the file that is named is gone',
    lost,
    { args: ['--master-key-file', 'gone'], says: 'The master key file gone does not exist' },
  ],
  [
    'the file is empty',
    (cwd) => writeFileSync(join(cwd, FILE), ' \n'),
    { says: `no master key in ./${FILE}` },
  ],
  [
    'the file is garbled',
    (cwd) => writeFileSync(join(cwd, FILE), 'of-2024:c2VjcmV0'),
    { says: `The master keys in ./${FILE} cannot be used` },
  ],
  [
    'the file is a folder',
    (cwd) => mkdirSync(join(cwd, 'folder')),
    { args: ['--master-key-file', 'folder'], says: 'cannot be read (EISDIR)' },
  ],
  [
    'the environment is garbled',
    () => undefined,
    { env: { YUBIKEY_MASTER_KEY: 'c2VjcmV0' }, says: 'The master keys in YUBIKEY_MASTER_KEY cannot be used' },
  ],
  [
    'a new one was made in its place',
    (cwd) => writeFileSync(join(cwd, FILE), masterKey('new')),
    { says: `The master key in ./${FILE} does not fit this database` },
  ],
  [
    'a new one with its id was made in its place',
    (cwd) => writeFileSync(join(cwd, FILE), masterKey('of-2024')),
    { says: 'not even a new master key with the same id' },
  ],
  [
    'another one is in the environment',
    () => undefined,
    { env: { YUBIKEY_MASTER_KEY: masterKey('other') }, says: 'in YUBIKEY_MASTER_KEY does not fit' },
  ],
];

/** What opens the database in each of the ways that there are. */
const COMMANDS: readonly (readonly string[])[] = [
  ['keys', 'export'],
  ['keys', 'reseal'],
  ['clients', 'new'],
  ['keys', 'import', '--dry-run', '-'],
  ['press'],
  ['serve', '--port', '0'],
];

describe('if the master key of a database is missing, the message leads to the old one', () => {
  it.each(SITUATIONS)('%s', async (_, change, { args = [], env = {}, says }) => {
    const cwd = await folderWithKeys();
    change(cwd);
    const ended = await run(['keys', 'new', ...args], { cwd, env });
    expectWayToTheOldOne(ended);
    expect(ended.stderr).toContain(says);
    expect(ended.stderr).not.toContain('c2VjcmV0');
  });

  it.each(COMMANDS.map((command) => [command.join(' '), command] as const))('of %s', async (_, command) => {
    const cwd = await folderWithKeys();
    lost(cwd);
    expectWayToTheOldOne(await run(command, { cwd }));
    const env = { YUBIKEY_MASTER_KEY: masterKey('new') };
    expectWayToTheOldOne(await run(command, { cwd, env }));
    expect(existsSync(join(cwd, FILE))).toBe(false);
  });

  it('also where the database holds clients alone, or is a backup that was just restored', async () => {
    const cwd = temporaryFolder();
    const options: RunOptions = { cwd, env: { YUBIKEY_MASTER_KEY: masterKey('of-2024') } };
    await run(['clients', 'new'], options);
    expectWayToTheOldOne(await run(['clients', 'new'], { cwd }));
    const backup = new LibsqlDatabase(join(cwd, 'yubikey-otp.db'));
    backup.exec(`VACUUM INTO '${join(cwd, 'backup.db')}'`);
    backup.close();
    expectWayToTheOldOne(await run(['keys', 'new', '--db', 'backup.db'], { cwd }));
  });

  it('in the wrong folder, a command that needs a database says that there is no database', async () => {
    for (const args of [
      ['keys', 'export'],
      ['keys', 'reseal'],
      ['keys', 'show', 'cccc'],
    ]) {
      const ended = await run(args, { cwd: temporaryFolder() });
      expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('There is no database at') });
      expect(ended.stderr).not.toContain('master-key new');
    }
  });

  it('keys that another program stored unsealed are recognised', async () => {
    const cwd = temporaryFolder();
    const database = new LibsqlDatabase(join(cwd, 'yubikey-otp.db'));
    const store = new SqliteStore({ database });
    await store.migrate();
    await store.keys.add({ publicId: 'cccc', aesKey: Buffer.alloc(16, 1) });
    database.close();
    for (const env of [{}, { YUBIKEY_MASTER_KEY: masterKey() }]) {
      const { code, stderr } = await run(['keys', 'export'], { cwd, env });
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('are not sealed') });
      expect(stderr).not.toMatch(/master-key new|delete/);
    }
  });
});

describeWith('where nothing is sealed yet', ['sh'], () => {
  it('the advice makes a master key when it is run as printed, whatever the path', async () => {
    const cwd = temporaryFolder();
    const file = "the company's key";
    const { stderr } = await run(['keys', 'new', '--master-key-file', file], { cwd });
    const [, command = ''] = /Make one with: (\(.*?\)), and keep a copy/.exec(stderr) ?? [];
    expect(command).toContain('set -C; yubikey-otp master-key new > ');
    execFileSync('sh', ['-c', command], { cwd, env: { PATH: `${programs()}:${process.env.PATH}` } });
    expect(await run(['keys', 'new', '--master-key-file', file], { cwd })).toMatchObject({ code: 0 });
  });
});
