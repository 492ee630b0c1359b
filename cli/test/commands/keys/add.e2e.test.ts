import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it } from 'vitest';
import { expectNoSecrets, hex } from '../../support/command.js';
import { newCommand, openStores, secretAnswers } from '../../support/stores.js';

describe('yubikey-otp keys add', () => {
  it('takes the AES key in base64 and the private ID from an OTP, and uses that OTP up', async () => {
    const command = newCommand();
    const [asked, given] = [new SoftYubikey(), new SoftYubikey()];
    const base64 = Buffer.from(asked.aesKey).toString('base64');
    const otp = asked.press();
    expect(await command(['keys', 'add', asked.publicId], { input: `${base64}\n${otp}\n` })).toMatchObject({
      code: 0,
    });
    const input = `${hex(given.aesKey)}\n${given.press().toUpperCase()}\n`;
    expect(await command(['keys', 'add', given.publicId], { input })).toMatchObject({ code: 0 });
    const { keys, counters } = await openStores(command);
    for (const { publicId, privateId } of [asked, given]) {
      expect(hex((await keys.get(publicId))?.privateId)).toBe(hex(privateId));
      expect(await counters.get(publicId)).toMatchObject({ usageCounter: 1, sessionUse: 0 });
    }
  });

  it('stores nothing if something is wrong', async () => {
    const command = newCommand();
    const [yubikey, other] = [new SoftYubikey(), new SoftYubikey()];
    const { publicId } = yubikey;
    const aesKey = hex(yubikey.aesKey);
    for (const [code, id, input, says] of [
      [2, publicId, '', 'An AES key is 16 bytes'],
      [2, publicId, `${aesKey}00\n`, 'An AES key is 16 bytes'],
      [2, publicId, `${aesKey}\n${hex(yubikey.privateId)}00\n`, 'neither 12 hexadecimal digits nor an OTP'],
      [2, publicId, `${aesKey}\n${other.press()}\n`, 'is not from the key'],
      [1, publicId, `${hex(other.aesKey)}\n${yubikey.press()}\n`, 'does not fit the AES key'],
      [2, 'not-modhex', '', 'A public ID has'],
    ] as const) {
      const ended = await command(['keys', 'add', id], { input });
      expect(ended).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(says) });
      expectNoSecrets(ended, yubikey, other);
    }
    expect(await command.json('keys', 'list')).toEqual([]);
    expect(await command(['keys', 'add', publicId], { input: secretAnswers(yubikey) })).toMatchObject({
      code: 0,
    });
    expect(await command(['keys', 'add', publicId], { input: secretAnswers(other) })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is stored already'),
    });
  });
});
