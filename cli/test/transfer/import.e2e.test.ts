import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it } from 'vitest';
import { expectNoSecrets, hex, temporaryFile, temporaryFolder } from '../support/command.js';
import { newCommand, openStores } from '../support/stores.js';

const keyLine = ({ publicId, privateId, aesKey }: SoftYubikey, serial = 0) =>
  `${serial},${publicId},${hex(privateId)},${hex(aesKey)},,2024-03-01T09:30:00,`;

describe('yubikey-otp keys import', () => {
  it('goes on after bad lines, imports nothing twice, and overwrites nothing', async () => {
    const command = newCommand();
    const [first, second, third] = [new SoftYubikey(), new SoftYubikey(), new SoftYubikey()];
    const rival = new SoftYubikey({ publicId: first.publicId });
    const sameKey = new SoftYubikey({ publicId: second.publicId, aesKey: second.aesKey });
    const text = [
      '# ykksm 1',
      keyLine(first, 4711),
      'garbage',
      keyLine(second),
      keyLine(first),
      keyLine(rival),
      keyLine(sameKey),
      `${keyLine(third)} # of Carol`,
    ].join('\r\n');
    const file = temporaryFile(text);

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

  it('reads several files and standard input', async () => {
    const command = newCommand();
    const [one, two, three] = [new SoftYubikey(), new SoftYubikey(), new SoftYubikey()];
    const [first, second] = [temporaryFile(keyLine(one)), temporaryFile(`# ykksm 1\n${keyLine(two)}`)];
    const ended = await command(['keys', 'import', first, second, '-'], { input: keyLine(three) });
    expect(ended).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining('3 added') });
    expect(ended.stderr).toContain(`Reading ${first} as personalization-tool`);
    expect(ended.stderr).toContain(`Reading ${second} as ykksm`);
    const dryRun = await command(['keys', 'import', '--dry-run', first]);
    expect(dryRun.stderr).toContain('Dry run, nothing was written: 1 already there');
  });

  it('reports access codes and missing private IDs, which matter later', async () => {
    const command = newCommand();
    const [locked, unpinned] = [new SoftYubikey(), new SoftYubikey()];
    const text = [
      '# ykksm 1',
      keyLine(locked).replace(',,2024', ',010203040506,2024'),
      keyLine(unpinned).replace(hex(unpinned.privateId), ''),
    ].join('\n');
    const ended = await command(['keys', 'import', '-'], { input: text });
    expect(ended.code).toBe(0);
    expect(ended.stderr).toMatch(/Keys with an access code, which is not stored: 1\./);
    expect(ended.stderr).toMatch(/Keys without a private ID: 1\..*keys pin/);
  });

  it('ends with 2 for a missing or encrypted file, and for an export to an existing file', async () => {
    const command = newCommand();
    await command.json('keys', 'new');
    expect(await command(['keys', 'import', '/nonexistent.csv'])).toMatchObject({
      code: 2,
      stderr: 'Error: /nonexistent.csv cannot be read: there is no such file\n',
    });
    const encrypted = temporaryFile('-----BEGIN PGP MESSAGE-----\n\njA0EAwMClfljrWYVfm5gycDMIpZ\n');
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

describe('yubikey-otp clients', () => {
  const SECRET = 'VcQW5h8W5DJnfOEkGUKR1jGbSgU=';

  it('imports and exports API keys, and seals them in the database', async () => {
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

    const { raw } = await openStores(here);
    const sealed = Buffer.from((await raw.clients.get('1'))?.apiKey ?? []);
    expect(sealed.length).toBeGreaterThan(20);
    expect(sealed.includes(Buffer.from(SECRET, 'base64'))).toBe(false);
  });
});
