import { readFileSync } from 'node:fs';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it } from 'vitest';
import { LISTED_SETTINGS } from '../src/serve/settings/listed-settings.js';
import { run } from './support/command.js';
import { newCommand } from './support/stores.js';

describe('yubikey-otp', () => {
  it('prints its version and its help', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
    expect(await run(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
    for (const args of [['--help'], ['keys', '--help'], ['keys', 'import', '--help'], ['help', 'keys']]) {
      expect(await run(args)).toMatchObject({
        code: 0,
        stderr: '',
        stdout: expect.stringContaining('Usage:'),
      });
    }
  });

  it.each([[['serve', '--help']], [['help', 'serve']]])(
    'prints every setting of the service: %j',
    async (args) => {
      const { stdout } = await run(args);
      for (const { option } of LISTED_SETTINGS) expect(stdout).toMatch(new RegExp(`^  ${option} `, 'm'));
    },
  );

  it.each([
    [[], 'Usage:'],
    [['keys'], 'Usage:'],
    [['keys', 'bogus'], 'unknown command'],
    [['keys', 'show'], 'missing required argument'],
    [['keys', 'list', '--bogus'], 'unknown option'],
    [['keys', 'import', 'x', '--format', 'pskc'], 'Allowed choices'],
    [['keys', 'list', '--db', '/nonexistent/keys.db'], 'There is no database at'],
    [['keys', 'list', '--db', 'mysql://root:hunter2@db/keys'], 'postgres: or redis:'],
    [['keys', 'list', '--db', 'postgresql+psycopg://user:hunter2@h/db'], 'not postgresql+psycopg:'],
    [['keys', 'list', '--db', import.meta.filename], 'cannot be used: '],
  ])('ends with 2 if it is called wrongly: %j', async (args, says) => {
    const ended = await run(args);
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(says) });
    expect(ended.stderr).not.toContain('hunter2');
  });

  it.each([
    [['keys', 'show']],
    [['keys', 'disable', 'vvcc']],
    [['keys', 'delete', '--yes']],
    [['keys', 'pin']],
    [['keys', 'add']],
    [['keys', 'new', '--public-id']],
  ])('refuses a whole OTP in place of a public ID, without repeating it: %j', async (args) => {
    const command = newCommand();
    await command.json('keys', 'new');
    const yubikey = new SoftYubikey();
    for (const otp of [yubikey.press(), yubikey.press().toUpperCase()]) {
      const ended = await command([...args, otp]);
      expect(ended).toMatchObject({ code: 2, stdout: '' });
      expect(ended.stderr).toContain(`give only its public ID, ${yubikey.publicId}`);
      expect(ended.stderr.toLowerCase()).not.toContain(otp.slice(12, 20).toLowerCase());
    }
  });
});
