import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it } from 'vitest';
import { newCommand, secretAnswers } from '../../support/stores.js';

describe('yubikey-otp keys list', () => {
  it('prints aligned columns, whatever the notes contain', async () => {
    const command = newCommand();
    const yubikeys = ['', 'cc', 'vvvvvvvvvvvvvvvv'].map((publicId) => new SoftYubikey({ publicId }));
    for (const yubikey of yubikeys) {
      const args = ['keys', 'add', yubikey.publicId, '--notes', 'a\x1b[2J\nb'];
      expect(await command(args, { input: secretAnswers(yubikey) })).toMatchObject({ code: 0 });
    }
    const { stdout } = await command(['keys', 'list']);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^PUBLIC ID {9}STATE {5}CREATED {15}NOTES$/);
    expect(lines.slice(1).map((line) => line.indexOf('active'))).toEqual([18, 18, 18]);
    expect(lines.slice(1).every((line) => line.endsWith('Z  a [2J b'))).toBe(true);
  });
});
