import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it } from 'vitest';
import { describeWith } from '../../../test/support/programs.js';
import { type CommandOn, hex, MAIN, start, temporaryFolder } from '../support/command.js';
import { newCommand } from '../support/stores.js';

const toEnvironment = ({ db, masterKey }: CommandOn) => ({ YUBIKEY_DB: db, YUBIKEY_MASTER_KEY: masterKey });

function keyLines(count: number): string {
  return Array.from({ length: count }, (_, at) => {
    const { publicId, privateId, aesKey } = new SoftYubikey();
    return `${at},${publicId},${hex(privateId)},${hex(aesKey)},,,\n`;
  }).join('');
}

async function withKeys(count: number): Promise<CommandOn> {
  const command = newCommand();
  await command(['keys', 'import', '-'], { input: keyLines(count) });
  return command;
}

describe('if results cannot be written, the command', () => {
  it('ends quietly if nobody reads on', async () => {
    const command = await withKeys(3000);
    const child = start(['keys', 'export'], { env: toEnvironment(command) });
    const stderr = text(child.stderr);
    await once(child.stdout, 'data');
    child.stdout.destroy();
    expect(await once(child, 'close')).toEqual([1, null]);
    expect(await stderr).not.toContain('EPIPE');
  });

  it.skipIf(!existsSync('/dev/full')).each([
    ['keys', 'export'],
    ['keys', 'list', '--json'],
  ])('says so if the disk is full: %s %s', async (...args) => {
    const command = await withKeys(1);
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [MAIN, ...args], {
      env: { ...process.env, ...toEnvironment(command) },
      stdio: ['ignore', full, 'pipe'],
    });
    closeSync(full);
    const stderr = text(child.stderr as NonNullable<typeof child.stderr>);
    expect(await once(child, 'close')).toEqual([2, null]);
    expect(await stderr).toMatch(/^Error: The results cannot be written to standard output: .*ENOSPC/m);
    expect(await stderr).not.toMatch(/^\s+at |Wrote/m);
  });
});

describeWith('an export to a file that cannot grow', ['sh'], () => {
  it('says so, leaves no incomplete file, and does not blame the database', async () => {
    const command = await withKeys(1500);
    const file = join(temporaryFolder(), 'keys.txt');
    // A limit of the shell: 64 KB, which these keys exceed.
    const script = 'ulimit -f 128; exec "$@"';
    const child = spawn('sh', ['-c', script, 'sh', process.execPath, MAIN, 'keys', 'export', '-o', file], {
      env: { ...process.env, ...toEnvironment(command) },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const stderr = text(child.stderr);
    expect(await once(child, 'close')).toEqual([2, null]);
    expect(await stderr).toMatch(
      /^Error: The file .*keys\.txt cannot be written completely, and is removed: EFBIG/,
    );
    expect(existsSync(file)).toBe(false);
  });
});

describe('if nobody reads messages', () => {
  it('an import goes on', async () => {
    const command = newCommand();
    const file = join(temporaryFolder(), 'keys.csv');
    writeFileSync(file, `${'bad\n'.repeat(2000)}${keyLines(50)}${'bad\n'.repeat(2000)}`);
    const child = start(['keys', 'import', '--json', file], { env: toEnvironment(command) });
    child.stderr.destroy();
    const stdout = text(child.stdout);
    expect(await once(child, 'close')).toEqual([1, null]);
    expect(JSON.parse(await stdout)).toMatchObject({ added: 50, refused: 4000 });
    expect(await command.json('keys', 'list')).toHaveLength(50);
  });
});
