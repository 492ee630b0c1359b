import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it } from 'vitest';
import { hex } from '../../support/command.js';
import { newCommand } from '../../support/stores.js';

describe('yubikey-otp keys pin', () => {
  it('stores the private ID of a key once, from a fresh OTP', async () => {
    const command = newCommand();
    const yubikey = new SoftYubikey();
    const { publicId } = yubikey;
    const added = await command(['keys', 'add', publicId], { input: `${hex(yubikey.aesKey)}\n\n` });
    expect(added).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`yubikey-otp keys pin ${publicId}`),
    });
    const [old, fresh] = [yubikey.press(), yubikey.press()];
    expect(await command(['keys', 'pin', publicId], { input: fresh })).toMatchObject({ code: 0 });
    expect(await command(['keys', 'pin', publicId], { input: old })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is not fresh'),
    });
    const again = await command(['keys', 'pin', publicId], { input: yubikey.press() });
    expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining('already') });
    const { aesKey } = yubikey;
    const forged = new SoftYubikey({ publicId, aesKey, usageCounter: 100 }).press();
    expect(await command(['keys', 'pin', publicId], { input: forged })).toMatchObject({ code: 1 });
    expect(await command.json('keys', 'show', publicId)).toMatchObject({
      hasPrivateId: true,
      counters: { usageCounter: 1, sessionUse: 2 },
    });
    expect(await command(['keys', 'pin', 'vv'], { input: fresh })).toMatchObject({ code: 1 });
  });
});
