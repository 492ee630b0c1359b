import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it } from 'vitest';
import { describeWith } from '../../../test/support/programs.js';
import {
  type CommandOn,
  commandOn,
  hex,
  programs,
  temporaryFile,
  temporaryFolder,
} from '../support/command.js';
import { masterKey, newCommand } from '../support/stores.js';

/** A line of ykksm-export. The format has no column that tells whether the key is active. */
const ykksmLine = ({ publicId, privateId, aesKey }: SoftYubikey, created = '2019-03-04 09:12:44') =>
  `9200100,${publicId},${hex(privateId)},${hex(aesKey)},000000000000,${created},\n`;
const neverUsed = ({ publicId }: SoftYubikey, active = 0) =>
  `${active},1551690000,-1,${publicId},-1,-1,-1,-1,0000000000000000,\n`;

const yubikeys = (count: number) => Array.from({ length: count }, () => new SoftYubikey());

async function importKeys(command: CommandOn, ...keys: SoftYubikey[]): Promise<void> {
  const input = keys.map((key) => ykksmLine(key)).join('');
  expect(await command(['keys', 'import', '-'], { input })).toMatchObject({ code: 0 });
}

/** The public IDs of the keys that are disabled. */
async function disabledIn(command: CommandOn): Promise<string[]> {
  const keys: { publicId: string; active: boolean }[] = await command.json('keys', 'list');
  return keys.filter(({ active }) => !active).map(({ publicId }) => publicId);
}

const accepts = async (command: CommandOn, yubikey: SoftYubikey) =>
  (await command(['verify', '-'], { input: yubikey.press() })).code === 0;

describe('a key that was deactivated at the validation server', () => {
  it('stays disabled after the move, even if it was never used or the rest of its line cannot be read', async () => {
    const command = newCommand();
    const [used, unused, odd] = yubikeys(3) as [SoftYubikey, SoftYubikey, SoftYubikey];
    await importKeys(command, used, unused, odd);
    const oddLine = `0,?,?,${odd.publicId},70000,?,?,?,?,a\tb\n`;
    const input = neverUsed(used, 1) + neverUsed(unused) + oddLine;
    const args = ['counters', 'import', '--json', '-'];
    const dryRun = await command([...args, '--dry-run'], { input });
    expect(await disabledIn(command)).toEqual([]);
    const ended = await command(args, { input });
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.stdout)).toMatchObject({
      skipped: 1,
      unchanged: 1,
      refused: 1,
      problems: [
        { line: 3, reason: expect.stringMatching(/modified.*deactivated in this line, and disabled here/) },
      ],
    });
    expect(ended.stderr).toContain('Keys that were deactivated there, and are disabled here: 2');
    expect(JSON.parse(dryRun.stdout)).toEqual({ ...JSON.parse(ended.stdout), dryRun: true });
    expect(await disabledIn(command)).toEqual([unused.publicId, odd.publicId].sort());
    expect(await Promise.all([used, unused, odd].map((key) => accepts(command, key)))).toEqual([
      true,
      false,
      false,
    ]);
    // Importing the keys again does not enable them.
    await importKeys(command, unused, odd);
    expect(await disabledIn(command)).toHaveLength(2);
  });

  it('stays disabled however long the notes in its line are', async () => {
    const command = newCommand();
    const [unused, used] = yubikeys(2) as [SoftYubikey, SoftYubikey];
    await importKeys(command, unused, used);
    const notes = 'n'.repeat(20_000);
    const usedLine = `0,1551690000,1551690000,${used.publicId},7,1,2,3,abcdefghijklmnop,`;
    const input = [neverUsed(unused).trim(), usedLine].map((line) => `${line}${notes}\n`).join('');
    expect(await command(['counters', 'import', '-'], { input })).toMatchObject({ code: 0 });
    expect(await disabledIn(command)).toEqual([unused.publicId, used.publicId].sort());
    expect((await command(['counters', 'export'])).stdout).toContain(`${used.publicId},7,1,2,3,`);
  });

  it('stays active if it was enabled here later, whichever file is imported again, and is reported', async () => {
    const command = newCommand();
    const [yubikey] = yubikeys(1) as [SoftYubikey];
    const file = temporaryFile(neverUsed(yubikey));
    await importKeys(command, yubikey);
    expect(await command(['counters', 'import', file])).toMatchObject({ code: 0 });
    await command(['keys', 'enable', yubikey.publicId]);
    for (const extra of [['--dry-run'], [], []]) {
      const again = await command(['counters', 'import', ...extra, file]);
      expect(again).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(`yubikey-otp keys disable ${yubikey.publicId}`),
      });
      await importKeys(command, yubikey);
      expect(await disabledIn(command)).toEqual([]);
    }
    expect(await accepts(command, yubikey)).toBe(true);
  });

  it('is disabled by importing the same file again if the counters were imported before the keys', async () => {
    const command = newCommand();
    const [yubikey] = yubikeys(1) as [SoftYubikey];
    const file = temporaryFile(neverUsed(yubikey));
    expect(await command(['counters', 'import', file])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('import the keys, then this file again'),
    });
    await importKeys(command, yubikey);
    expect(await command(['counters', 'import', file])).toMatchObject({ code: 0 });
    expect(await disabledIn(command)).toEqual([yubikey.publicId]);
  });

  it('rows that another server of the pool made are skipped', async () => {
    const path = fileURLToPath(new URL('../cases/counters/ykval-export-of-a-pool.csv', import.meta.url));
    expect(await newCommand().json('counters', 'import', path)).toMatchObject({
      skipped: 2,
      raised: 1,
      refused: 0,
    });
  });
});

describe('a client that was deactivated at the validation server', () => {
  const SECRET = 'VcQW5h8W5DJnfOEkGUKR1jGbSgU=';

  it('is imported as disabled, and never becomes active silently', async () => {
    const command = newCommand();
    await command(['clients', 'import', '-'], { input: `2,${SECRET}\n3,${SECRET}\n` });
    const input = `1,0,1551690000,${SECRET},,,\n2,0,1551690000,${SECRET},,,\n3,0,yesterday,${SECRET},,,\n`;
    for (const extra of [['--dry-run'], []]) {
      const { code, stderr } = await command(['clients', 'import', ...extra, '-'], { input });
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /:2: the client 2 is disabled in this file and active here.*clients disable 2$/m,
      );
      expect(stderr).toMatch(/:3: the column created .*yubikey-otp clients disable 3$/m);
      expect(stderr).not.toContain(SECRET.slice(0, 8));
    }
    expect(await command.json('clients', 'list')).toMatchObject([{ id: '1', active: false }, {}, {}]);
    await command(['clients', 'import', '-'], { input: `1,1,1551690000,${SECRET},,,\n1,${SECRET}\n` });
    expect(await command.json('clients', 'list')).toMatchObject([{ id: '1', active: false }, {}, {}]);
  });
});

describeWith('a key that was disabled at the KSM alone', ['sh', 'xargs'], () => {
  /** Finds the command that an import prints. */
  const commandIn = (stderr: string) => /^ {2}(mysql .*)$/m.exec(stderr)?.[1] ?? expect.fail('no command');

  /** Runs the command as it is printed, with an old database in which these keys are disabled. */
  function runInShell(
    line: string,
    disabled: readonly string[],
    options: { cwd: string; db?: string },
  ): void {
    const mysql = `[ "$*" = "-NBe SELECT publicname FROM yubikeys WHERE active IS NOT TRUE ykksm" ] || exit 9\n${disabled.map((id) => `echo '${id}'`).join('\n')}`;
    const { YUBIKEY_DB: _, ...env } = process.env;
    const ours = {
      ...(options.db && { YUBIKEY_DB: options.db }),
      PATH: `${programs({ mysql })}:${env.PATH}`,
    };
    execFileSync('sh', ['-c', line], { cwd: options.cwd, env: { ...env, ...ours }, stdio: 'pipe' });
  }

  it.each([
    ['a blank in its dates', '2019-03-04 09:12:44'],
    ['a T in its dates', '2014-06-01T08:00:00'],
    ['no dates', ''],
  ])('is disabled by the command that the import prints: %s', async (_, created) => {
    const command = newCommand();
    const keys = yubikeys(3);
    const input = keys.map((key) => ykksmLine(key, created)).join('');
    const dryRun = await command(['keys', 'import', '--dry-run', '-'], { input });
    const { code, stderr } = await command(['keys', 'import', '-'], { input });
    expect(code).toBe(0);
    expect(stderr).toContain('do not tell which keys were disabled');
    expect(commandIn(dryRun.stderr)).toBe(commandIn(stderr));
    const [first, second] = keys.map(({ publicId }) => publicId) as [string, string];
    const options = { cwd: temporaryFolder(), db: command.db };
    runInShell(commandIn(stderr), [], options);
    expect(await disabledIn(command)).toEqual([]);
    runInShell(commandIn(stderr), [first, second], options);
    expect(await disabledIn(command)).toEqual([first, second].sort());
  });

  it('is disabled in the database that was named, whatever its name', async () => {
    const cwd = temporaryFolder();
    const command = commandOn(join(cwd, "the company's keys.db"), masterKey());
    const [yubikey] = yubikeys(1) as [SoftYubikey];
    const args = ['keys', 'import', '-', '--db', command.db];
    const { stderr } = await command(args, { input: ykksmLine(yubikey), env: { YUBIKEY_DB: '' } });
    runInShell(commandIn(stderr), [yubikey.publicId], { cwd });
    expect(await disabledIn(command)).toEqual([yubikey.publicId]);
  });

  it('is not mentioned if the file is certainly from another program', async () => {
    const command = newCommand();
    const [yubikey] = yubikeys(1) as [SoftYubikey];
    const input = ykksmLine(yubikey, '2024-05-02T10:10:00');
    const { stderr } = await command(['keys', 'import', '--format', 'ykman', '-'], { input });
    expect(stderr).toContain('1 added');
    expect(stderr).not.toContain('mysql');
  });

  it('is disabled even if another argument cannot be a public ID', async () => {
    const command = newCommand();
    const [one, two] = yubikeys(2) as [SoftYubikey, SoftYubikey];
    await importKeys(command, one, two);
    const ended = await command(['keys', 'disable', one.publicId, 'UNKNOWN', two.publicId]);
    expect(ended).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Argument 2: A public ID has'),
    });
    expect(await disabledIn(command)).toHaveLength(2);
  });
});
