import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it } from 'vitest';
import { hex, run, start, temporaryFolder } from './command.js';
import { newCommand } from './stores.js';

describe('yubikey-otp', () => {
  it('tells its version and helps', async () => {
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

  it.each([
    [[], 'Usage:'],
    [['keys'], 'Usage:'],
    [['keys', 'bogus'], 'unknown command'],
    [['keys', 'show'], 'missing required argument'],
    [['keys', 'list', '--bogus'], 'unknown option'],
    [['keys', 'import', 'x', '--format', 'pskc'], 'Allowed choices'],
    [['keys', 'list', '--db', '/nonexistent/keys.db'], 'There is no database at'],
    [['keys', 'list', '--db', 'mysql://root:hunter2@db/keys'], 'postgres: or redis:'],
    [['keys', 'list', '--db', import.meta.filename], 'cannot be used: '],
  ])('ends with 2 when it is called wrongly: %j', async (args, says) => {
    const ended = await run(args);
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(says) });
    expect(ended.stderr).not.toContain('hunter2');
  });

  it('ends quietly when nobody reads on', async () => {
    const command = newCommand();
    const file = join(temporaryFolder(), 'keys.txt');
    writeFileSync(file, keyLines(3000));
    await command(['keys', 'import', file]);
    const env = { YUBIKEY_DB: command.db, YUBIKEY_MASTER_KEY: command.masterKey };
    const child = start(['keys', 'export'], { env });
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    await once(child.stdout, 'data');
    child.stdout.destroy();
    expect(await once(child, 'close')).toEqual([1, null]);
    expect(stderr).not.toContain('EPIPE');
  });
});

function keyLines(count: number): string {
  return Array.from({ length: count }, (_, at) => {
    const { publicId, privateId, aesKey } = new SoftYubikey();
    return `${at},${publicId},${hex(privateId)},${hex(aesKey)},,,\n`;
  }).join('');
}
