import { join } from 'node:path';
import LibsqlDatabase from 'libsql';
import { newMasterKey, parseKeyring, SealedClientStore, SqliteStore } from 'passport-yubikey-otp/stores';
import { describe, expect, it, onTestFinished } from 'vitest';
import { commandOn, temporaryFolder } from '../support/command.js';

const newCommand = () =>
  commandOn(join(temporaryFolder(), 'clients.db'), `first:${newMasterKey().toString('base64')}`);

async function apiKeyStored({ db, masterKey }: ReturnType<typeof newCommand>, id: string) {
  const database = new LibsqlDatabase(db);
  onTestFinished(() => void database.close());
  const store = new SqliteStore({ database });
  await store.migrate();
  const client = await new SealedClientStore(store.clients, parseKeyring(masterKey)).get(id);
  return Buffer.from(client?.apiKey ?? []).toString('base64');
}

describe('yubikey-otp clients', () => {
  it('new makes an API key of 20 bytes, stores it, and prints it once as environment variables', async () => {
    const command = newCommand();
    const made = await command(['clients', 'new', '--notes', 'intranet']);
    expect(made).toMatchObject({ code: 0, stderr: expect.stringContaining('shown only now') });
    const [, apiKey = ''] = /^YUBIKEY_CLIENT_ID=1\nYUBIKEY_API_KEY=(\S{28})\n$/.exec(made.stdout) ?? [];
    expect(Buffer.from(apiKey, 'base64')).toHaveLength(20);
    expect(made.stderr).not.toContain(apiKey);
    expect(await apiKeyStored(command, '1')).toBe(apiKey);

    const asJson = await command.json('clients', 'new');
    expect(asJson).toEqual({ id: '2', apiKey: expect.stringMatching(/^\S{28}$/) });
    expect(asJson.apiKey).not.toBe(apiKey);
    for (const args of [['list'], ['list', '--json'], ['disable', '1'], ['new', '--id', '1']]) {
      const ended = await command(['clients', ...args]);
      expect(ended.stdout + ended.stderr).not.toContain(apiKey);
    }
  });

  it('new takes one more than the highest id, compared as numbers, or the id that is asked for', async () => {
    const command = newCommand();
    expect(await command.json('clients', 'new', '--id', '9')).toMatchObject({ id: '9' });
    expect(await command.json('clients', 'new')).toMatchObject({ id: '10' });
    expect(await command.json('clients', 'new')).toMatchObject({ id: '11' });
    expect(await command(['clients', 'new', '--id', '9'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('stored already'),
    });
    for (const id of ['x', '', '-1', '1'.repeat(21)]) {
      expect(await command(['clients', 'new', `--id=${id}`])).toMatchObject({ code: 2, stdout: '' });
    }
    await command.json('clients', 'new', '--id', '9'.repeat(20));
    expect(await command(['clients', 'new'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('choose a free one with --id'),
    });
  });

  it('new gives each client its own id if several are made at the same time', async () => {
    const command = newCommand();
    const made = await Promise.all(Array.from({ length: 5 }, () => command.json('clients', 'new')));
    expect(made.map(({ id }) => id).sort()).toEqual(['1', '2', '3', '4', '5']);
    for (const { id, apiKey } of made) expect(await apiKeyStored(command, id)).toBe(apiKey);
  });

  it('list, disable, enable and delete need no master key, and report each client', async () => {
    const command = newCommand();
    await command.json('clients', 'new', '--notes', 'a\x1b[2J\nb');
    const withoutKey = (args: string[]) => command(['clients', ...args], { env: { YUBIKEY_MASTER_KEY: '' } });
    expect((await withoutKey(['list'])).stdout).toMatch(
      /^ID +STATE +CREATED +NOTES\n1 +active .* {2}a \[2J b\n$/,
    );

    expect(await withoutKey(['disable', '1'])).toMatchObject({ code: 0, stderr: 'Client 1 is disabled\n' });
    expect(await withoutKey(['disable', '1'])).toMatchObject({ stderr: 'Client 1 was disabled already\n' });
    expect(JSON.parse((await withoutKey(['list', '--json'])).stdout)).toEqual([
      { id: '1', active: false, createdAt: expect.any(String), notes: 'a\x1b[2J\nb' },
    ]);
    const enabled = await withoutKey(['enable', '1', '2', '--json']);
    expect(enabled).toMatchObject({ code: 1, stderr: 'Client 1 is enabled\nThere is no client 2\n' });
    expect(JSON.parse(enabled.stdout)).toEqual([
      { id: '1', result: 'enabled' },
      { id: '2', result: 'not found' },
    ]);
    expect(await withoutKey(['enable', 'one'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('decimal digits'),
    });

    expect(await withoutKey(['delete', '1'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--yes'),
    });
    expect(await withoutKey(['delete', '--yes', '1', '2'])).toMatchObject({
      code: 1,
      stderr: 'Client 1 is deleted\nThere is no client 2\n',
    });
    expect(await withoutKey(['list'])).toMatchObject({
      stdout: '',
      stderr: expect.stringContaining('yubikey-otp clients new'),
    });
  });
});
