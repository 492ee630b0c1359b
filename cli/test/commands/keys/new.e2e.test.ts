import { LocalKsm, parseOtp } from 'passport-yubikey-otp';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it } from 'vitest';
import { expectNoSecrets } from '../../support/command.js';
import { newCommand, openStores } from '../../support/stores.js';

describe('yubikey-otp keys new', () => {
  it('stores the key that it prints, and no other command prints it', async () => {
    const command = newCommand();
    const made = await command(['keys', 'new', '--serial', '7654321']);
    expect(made.code).toBe(0);
    const [, publicId, privateId, aesKey] =
      /^ykman --device 7654321 otp yubiotp 2 --public-id (\w+) --private-id (\w{12}) --key (\w{32})\n$/.exec(
        made.stdout,
      ) ?? [];
    expect(publicId).toBe('vvccccifrnnb');
    expect(made.stderr).toContain('contains the secrets of the key');
    const yubikey = new SoftYubikey({ publicId, privateId, aesKey } as Record<string, string>);
    expectNoSecrets({ ...made, stdout: '' }, yubikey);
    const { keys } = await openStores(command);
    expect(await new LocalKsm(keys).decrypt(parseOtp(yubikey.press()))).toMatchObject({
      privateIdChecked: true,
    });
    for (const args of [
      ['keys', 'list'],
      ['keys', 'show', 'vvccccifrnnb'],
      ['keys', 'show', 'vvccccifrnnb', '--json'],
      ['keys', 'reseal'],
      ['keys', 'new', '--serial', '7654321'],
    ]) {
      expectNoSecrets(await command(args), yubikey);
    }
    expect(await command(['keys', 'new', '--serial', '7654321'])).toMatchObject({ code: 1, stdout: '' });
    const random = await command.json('keys', 'new', '--slot', '1');
    expect(random).toMatchObject({
      publicId: expect.stringMatching(/^vv[cbdefghijklnrtuv]{10}$/),
      command: expect.stringMatching(/^ykman otp yubiotp 1 --public-id vv/),
    });
    for (const wrong of [
      ['--serial', '4294967296'],
      ['--serial', '-1'],
      ['--slot', '3'],
      ['--public-id', 'ccc'],
      ['--public-id', ''],
    ]) {
      expect(await command(['keys', 'new', ...wrong])).toMatchObject({ code: 2, stdout: '' });
    }
  });
});
