import { readdirSync } from 'node:fs';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it } from 'vitest';
import { run, temporaryFolder } from '../support/command.js';

const pressOnce = (publicId: string, layout?: string) =>
  new SoftYubikey({ publicId, ...(layout && { layout }) }).press();

async function inspect(text: string) {
  const ended = await run(['inspect', '--json', text]);
  expect(ended.code).toBe(0);
  return JSON.parse(ended.stdout);
}

describe('yubikey-otp inspect', () => {
  it('shows what can be read from an OTP, but not the token, says that nothing was verified, and needs no database', async () => {
    const cwd = temporaryFolder();
    const otp = pressOnce('cccccccccccb');
    for (const ended of [
      await run(['inspect', otp], { cwd }),
      await run(['inspect'], { cwd, input: `${otp}\n` }),
      await run(['inspect', '-'], { cwd, input: otp }),
    ]) {
      expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining('Nothing was verified') });
      expect(ended.stdout).toMatch(/^Public ID: +cccccccccccb$/m);
      expect(ended.stdout).toMatch(/^Origin: .*programmed by Yubico/m);
      expect(ended.stdout).toMatch(/^Serial number: +1, unless/m);
      expect(ended.stdout).toMatch(/^Corrected: +nothing/m);
      expect(ended.stdout + ended.stderr).not.toContain(otp.slice(-32));
    }
    expect(readdirSync(cwd)).toEqual([]);
  });

  it.each([
    ['ccccccccfckd', 'factory', 16530, '16530'],
    ['vvccccifrnnb', 'uploaded', 7654321, '280375472737201'],
    ['vvncifrnnbcc', 'uploaded', null, undefined],
    ['cbncifrnnbcc', 'own', null, undefined],
    ['cccccccccc', 'own', null, '0'],
    ['dteffuje', 'own', null, String(0x2d344e83)],
    ['', 'own', null, undefined],
  ])('knows the origin of the key with public ID %j', async (publicId, origin, serial, decimal) => {
    expect(await inspect(pressOnce(publicId))).toMatchObject({
      publicId,
      origin,
      serial,
      ...(decimal === undefined ? {} : { publicIdDecimal: decimal }),
      length: publicId.length + 32,
      tokenLength: 32,
      verified: false,
    });
  });

  it('tells how the OTP was typed', async () => {
    const otp = pressOnce('vvvvvvvvvvvv');
    for (const [text, undone] of [
      [otp, []],
      [` ${otp}\n`, ['white space around it']],
      [otp.toUpperCase(), ['capitals (caps lock?)']],
      [`https://my.yubico.com/yk/#${otp}`, ['the URL of an NFC tag']],
      [`https://my.yubico.com/neo/${otp.toUpperCase()}`, ['the URL of an NFC tag', 'capitals (caps lock?)']],
      [pressOnce('vvvvvvvvvvvv', 'us(dvorak)'), ['another keyboard layout']],
      [pressOnce('vvvvvvvvvvvv', 'ru').toUpperCase(), ['capitals (caps lock?)', 'another keyboard layout']],
    ] as const) {
      expect(await inspect(text)).toMatchObject({ publicId: 'vvvvvvvvvvvv', undone });
    }
  });

  it('refuses a text that is not an OTP, without repeating it', async () => {
    const otp = pressOnce('vvvvvvvvvvvv');
    for (const text of [otp.slice(20), `${otp}${otp}`, `${otp.slice(0, -1)}!`, '']) {
      const ended = await run(['inspect', text]);
      expect(ended).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining('Not a YubiKey OTP'),
      });
      expect(ended.stderr).not.toContain(otp.slice(24, -1));
    }
  });
});
