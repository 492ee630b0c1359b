import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import LibsqlDatabase from 'libsql';
import { newMasterKey, SqliteStore } from 'passport-yubikey-otp/stores';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { commandOn, expectNoSecrets, hex, temporaryFolder } from './command.js';

const newCommand = () =>
  commandOn(join(temporaryFolder(), 'keys.db'), `first:${newMasterKey().toString('base64')}`);

function fileOf(text: string): string {
  const path = join(temporaryFolder(), 'import.csv');
  writeFileSync(path, text);
  return path;
}

const lineOf = ({ publicId, privateId, aesKey }: SoftYubikey, serial = 0) =>
  `${serial},${publicId},${hex(privateId)},${hex(aesKey)},,2024-03-01T09:30:00,`;

describe('yubikey-otp keys import', () => {
  it('goes on behind bad lines, imports nothing twice, and overwrites nothing', async () => {
    const command = newCommand();
    const [first, second, third] = [new SoftYubikey(), new SoftYubikey(), new SoftYubikey()];
    const rival = new SoftYubikey({ publicId: first.publicId });
    const sameKey = new SoftYubikey({ publicId: second.publicId, aesKey: second.aesKey });
    const text = [
      '# ykksm 1',
      lineOf(first, 4711),
      'garbage',
      lineOf(second),
      lineOf(first),
      lineOf(rival),
      lineOf(sameKey),
      `${lineOf(third)} # of Carol`,
    ].join('\r\n');
    const file = fileOf(text);

    const dryRun = await command(['keys', 'import', '--dry-run', '--json', file]);
    expect(dryRun.code).toBe(1);
    expect(await command(['keys', 'list'])).toMatchObject({ code: 2 });
    const ended = await command(['keys', 'import', '--json', file]);
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.stdout)).toEqual({
      dryRun: false,
      added: 3,
      raised: 0,
      alreadyThere: 1,
      unchanged: 0,
      skipped: 0,
      refused: 3,
      problems: [
        { file, line: 3, reason: expect.stringContaining('columns') },
        {
          file,
          line: 6,
          reason: expect.stringContaining(`${first.publicId} is stored already with another AES key`),
        },
        { file, line: 7, reason: expect.stringContaining('with another private ID') },
      ],
    });
    expect(ended.stderr).toContain(`${file}:3: `);
    expect(JSON.parse(dryRun.stdout)).toEqual({ ...JSON.parse(ended.stdout), dryRun: true });
    expect(await command.json('keys', 'list')).toHaveLength(3);
    expect(await command.json('keys', 'show', third.publicId)).toMatchObject({ notes: 'of Carol' });
    expectNoSecrets(ended, first, second, third, rival, sameKey);
    expectNoSecrets(dryRun, first, second, third, rival, sameKey);

    const again = await command(['keys', 'import', file]);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('4 already there, 3 refused') });
  });

  it('reads several files, and standard input', async () => {
    const command = newCommand();
    const [one, two, three] = [new SoftYubikey(), new SoftYubikey(), new SoftYubikey()];
    const [first, second] = [fileOf(lineOf(one)), fileOf(`# ykksm 1\n${lineOf(two)}`)];
    const ended = await command(['keys', 'import', first, second, '-'], { input: lineOf(three) });
    expect(ended).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining('3 added') });
    expect(ended.stderr).toContain(`Reading ${first} as personalization-tool`);
    expect(ended.stderr).toContain(`Reading ${second} as ykksm`);
    const dryRun = await command(['keys', 'import', '--dry-run', first]);
    expect(dryRun.stderr).toContain('Dry run, nothing was written: 1 already there');
  });

  it('tells of access codes and missing private IDs, which matter later', async () => {
    const command = newCommand();
    const [locked, unpinned] = [new SoftYubikey(), new SoftYubikey()];
    const text = [
      '# ykksm 1',
      lineOf(locked).replace(',,2024', ',010203040506,2024'),
      lineOf(unpinned).replace(hex(unpinned.privateId), ''),
    ].join('\n');
    const ended = await command(['keys', 'import', '-'], { input: text });
    expect(ended.code).toBe(0);
    expect(ended.stderr).toMatch(/1 of the keys have an access code/);
    expect(ended.stderr).toMatch(/1 of the keys have no private ID.*keys pin/);
  });

  it('ends with 2 for a file that is not there or encrypted, and for a bad name of an export', async () => {
    const command = newCommand();
    await command.json('keys', 'new');
    expect(await command(['keys', 'import', '/nonexistent.csv'])).toMatchObject({
      code: 2,
      stderr: 'Error: /nonexistent.csv cannot be read: there is no such file\n',
    });
    const encrypted = fileOf('-----BEGIN PGP MESSAGE-----\n\njA0EAwMClfljrWYVfm5gycDMIpZ\n');
    expect(await command(['keys', 'import', encrypted])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('gpg --decrypt'),
    });
    expect(await command(['keys', 'export', '-o', encrypted])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('not overwritten'),
    });
    expect(readFileSync(encrypted, 'utf8')).toContain('PGP');
  });
});

describe('yubikey-otp counters', () => {
  const line = (publicId: string, counter: number, active = 1, nonce = 'aoincuhfuahsaoin') =>
    `${active},1359470658,1359470659,${publicId},${counter},1,32729,4,${nonce},\n`;

  it('import only ever raises, and disables what was deactivated', async () => {
    const command = newCommand();
    const { publicId } = await command.json('keys', 'new');
    const text =
      line('cccccccccccb', 0x8000 + 9) + line(publicId, 3, 0) + line('vvvv', 1, 0) + line('vv', -1);
    const args = ['counters', 'import', '--json', fileOf(text)];
    const dryRun = await command([...args, '--dry-run']);
    expect(await command(['counters', 'export'])).toMatchObject({ stdout: '' });
    expect(await command.json('keys', 'show', publicId)).toMatchObject({ active: true });

    const ended = await command(args, { env: { YUBIKEY_MASTER_KEY: '' } });
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.stdout)).toMatchObject({
      raised: 3,
      unchanged: 0,
      skipped: 1,
      problems: [{ line: 3, reason: expect.stringContaining('vvvv is deactivated') }],
    });
    expect(JSON.parse(dryRun.stdout)).toEqual({ ...JSON.parse(ended.stdout), dryRun: true });
    expect(await command.json('keys', 'show', publicId)).toMatchObject({
      active: false,
      counters: { usageCounter: 3, sessionUse: 1, acceptedAt: '2013-01-29T14:44:19.000Z' },
    });

    const lower = line('cccccccccccb', 8) + line('cccccccccccb', 9) + line('cccccccccccb', 10);
    const second = await command(['counters', 'import', '--json', '-'], { input: lower });
    expect(JSON.parse(second.stdout)).toMatchObject({ raised: 1, unchanged: 2, refused: 0 });
  });

  it('export is what another server imports', async () => {
    const [here, there] = [newCommand(), newCommand()];
    const { publicId } = await here.json('keys', 'new');
    const text = line('cccccccccccb', 5, 1, '') + line(publicId, 3, 0);
    await here(['counters', 'import', '-'], { input: text });
    const { stdout } = await here(['counters', 'export']);
    expect(stdout.split('\n')).toHaveLength(3);
    expect(stdout).toContain(',cccccccccccb,5,1,32729,4,,\n');
    expect(stdout).toMatch(new RegExp(`^0,\\d+,1359470659,${publicId},3,1,32729,4,aoincuhfuahsaoin,$`, 'm'));
    await there(['keys', 'import', '-'], { input: (await here(['keys', 'export'])).stdout });
    expect(await there(['counters', 'import', '-'], { input: stdout })).toMatchObject({ code: 0 });
    // When a key was stored is not carried over; all else is.
    const withoutCreated = (exported: string) => exported.replace(/^(\d),\d+/gm, '$1');
    expect(withoutCreated((await there(['counters', 'export'])).stdout)).toBe(withoutCreated(stdout));
  });
});

describe('yubikey-otp clients', () => {
  const SECRET = 'VcQW5h8W5DJnfOEkGUKR1jGbSgU=';

  it('import and export API keys, which are sealed in between', async () => {
    const [here, there] = [newCommand(), newCommand()];
    const text = `1,0,1359550387,${SECRET},a@example.com,intranet,\n2,${SECRET}\nx,y\n`;
    const imported = await here(['clients', 'import', '--json', '-'], { input: text });
    expect(JSON.parse(imported.stdout)).toMatchObject({ added: 2, refused: 1 });
    expect(imported.stdout + imported.stderr).not.toContain(SECRET.slice(0, 8));
    const other = SECRET.replace('Vc', 'Wd');
    const conflict = await here(['clients', 'import', '-'], { input: `1,${other}\n2,${SECRET}\n` });
    expect(conflict.code).toBe(1);
    expect(conflict.stderr).toContain(
      'standard input:1: the client 1 is stored already with another API key',
    );
    expect(conflict.stderr).toContain('1 already there, 1 refused');

    const file = join(temporaryFolder(), 'clients.csv');
    expect(await here(['clients', 'export', '-o', file])).toMatchObject({ code: 0, stdout: '' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).toMatch(
      new RegExp(`^1,0,\\d+,${SECRET},,a@example.com intranet,\n2,1,\\d+,${SECRET},,,\n$`),
    );
    expect(await there(['clients', 'import', file])).toMatchObject({ code: 0 });
    const again = await there(['clients', 'export']);
    expect(again.stdout.replace(/,1\d{9},/g, ',')).toBe(readFileSync(file, 'utf8').replace(/,1\d{9},/g, ','));

    const database = new LibsqlDatabase(here.db);
    onTestFinished(() => void database.close());
    const store = new SqliteStore({ database });
    await store.migrate();
    const sealed = Buffer.from((await store.clients.get('1'))?.apiKey ?? []);
    expect(sealed.length).toBeGreaterThan(20);
    expect(sealed.includes(Buffer.from(SECRET, 'base64'))).toBe(false);
  });
});
