import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it } from 'vitest';
import { hex } from '../../support/command.js';
import { newCommand, secretAnswers } from '../../support/stores.js';

const ykvalLine = (publicId: string) => `1,1359470658,1359470659,${publicId},9,1,32729,4,aoincuhfuahsaoin,\n`;

describe('a public ID with stored counters', () => {
  it('makes keys add and keys new warn, but store the key', async () => {
    const command = newCommand();
    const yubikey = new SoftYubikey();
    const { publicId } = yubikey;
    const warning = /^Warning: .* a usage counter above 9\..*refused as replayed: .*another public ID/m;
    const quiet = await command(['keys', 'add', publicId], { input: secretAnswers(yubikey) });
    expect(quiet.stderr).not.toContain('Warning');
    await command(['counters', 'import', '-'], { input: ykvalLine(publicId) });
    const taken = await command(['keys', 'add', publicId], { input: secretAnswers(yubikey) });
    expect(taken).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('the counters of this one stay'),
    });
    await command(['keys', 'delete', '-y', publicId]);
    const again = await command(['keys', 'add', publicId], { input: secretAnswers(yubikey) });
    expect(again).toMatchObject({ code: 0, stderr: expect.stringMatching(warning) });
    await command(['keys', 'delete', '-y', publicId]);
    const made = await command(['keys', 'new', '--public-id', publicId]);
    expect(made).toMatchObject({ code: 0, stderr: expect.stringMatching(warning) });
    expect((await command(['keys', 'new'])).stderr).not.toContain('Warning');
  });

  it('makes keys add explain why the OTP of a YubiKey that was programmed again is refused', async () => {
    const command = newCommand();
    const yubikey = new SoftYubikey();
    const { publicId } = yubikey;
    await command(['counters', 'import', '-'], { input: ykvalLine(publicId) });
    const input = `${hex(yubikey.aesKey)}\n${yubikey.press()}\n`;
    const ended = await command(['keys', 'add', publicId], { input });
    expect(ended).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('programmed again needs another public ID'),
    });
    expect(await command.json('keys', 'list')).toEqual([]);
  });

  it('is counted by keys import among the added keys, and by a dry run', async () => {
    const command = newCommand();
    const yubikeys = [new SoftYubikey(), new SoftYubikey(), new SoftYubikey()];
    const input = yubikeys
      .map(({ publicId, privateId, aesKey }) => `0,${publicId},${hex(privateId)},${hex(aesKey)},,,\n`)
      .join('');
    for (const { publicId } of yubikeys.slice(1)) {
      await command(['counters', 'import', '-'], { input: ykvalLine(publicId) });
    }
    const remark = /^Keys whose public ID has counters already: 2\..*another public ID$/m;
    for (const args of [['--dry-run', '-'], ['-']]) {
      const ended = await command(['keys', 'import', ...args], { input });
      expect(ended).toMatchObject({ code: 0, stderr: expect.stringMatching(remark) });
    }
    expect((await command(['keys', 'import', '-'], { input })).stderr).not.toMatch(remark);
  });
});
