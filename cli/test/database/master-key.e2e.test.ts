import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run, temporaryFolder } from '../support/command.js';
import { masterKey, newCommand } from '../support/stores.js';

describe('the master key', () => {
  it('is made by the command, and read from a file', async () => {
    const folder = temporaryFolder();
    const [file, db] = [join(folder, 'master.key'), join(folder, 'keys.db')];
    writeFileSync(file, (await run(['master-key', 'new', '--id', '2026'])).stdout, { mode: 0o644 });
    expect(readFileSync(file, 'utf8')).toMatch(/^2026:[A-Za-z0-9+/]{43}=\n$/);
    const args = ['keys', 'new', '--db', db, '--master-key-file', file];
    const ended = await run(args);
    expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining('can be read by other users') });
    expect(ended.stderr).not.toContain(readFileSync(file, 'utf8').slice(5, 20));
    expect(statSync(db).mode & 0o777).toBe(0o600);
  });

  it('is reported missing with advice, before a database is made', async () => {
    const db = join(temporaryFolder(), 'keys.db');
    for (const args of [[], ['--master-key-file', '/nonexistent']]) {
      expect(await run(['keys', 'new', '--db', db, ...args])).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringContaining('yubikey-otp master-key new'),
      });
    }
    expect(existsSync(db)).toBe(false);
  });

  it('neither opens keys of another master key nor seals beside them', async () => {
    const command = newCommand();
    const { publicId } = await command.json('keys', 'new');
    for (const wrong of [masterKey('second'), masterKey('first')]) {
      const env = { YUBIKEY_MASTER_KEY: wrong };
      for (const args of [['show', publicId], ['new'], ['export'], ['add', 'cccc']]) {
        const ended = await command(['keys', ...args], { env });
        expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('does not fit') });
      }
      expect(await command(['keys', 'reseal'], { env })).toMatchObject({ code: 2 });
    }
    expect(await command.json('keys', 'list')).toHaveLength(1);
    const unreadable = { YUBIKEY_MASTER_KEY: 'c2VjcmV0c2VjcmV0' };
    const ended = await command(['keys', 'new'], { env: unreadable });
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('id:base64') });
    expect(ended.stderr).not.toContain('c2VjcmV0');
  });
});
