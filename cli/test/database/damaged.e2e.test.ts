import { type KeyRecord, parseKeyring, SealedClientStore, SealedKeyStore } from 'passport-yubikey-otp/stores';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it } from 'vitest';
import { type CommandOn, expectNoSecrets } from '../support/command.js';
import { masterKey, newCommand, openStores } from '../support/stores.js';

const GOOD = new SoftYubikey({ publicId: 'vvcb' });
/** First and last in the order of their ids, so that what opens is between. */
const [EDITED, FOREIGN] = ['vvcc', 'vvcd'];

/** A database with a key and a client that open, and of each kind one that is edited and one of another master key. */
async function damaged(): Promise<CommandOn> {
  const command = newCommand();
  await command.json('keys', 'new');
  const { raw, keys } = await openStores(command);
  const { records } = await keys.list();
  for (const { publicId } of records) await keys.delete(publicId);
  const here = parseKeyring(command.masterKey);
  const elsewhere = parseKeyring(masterKey('elsewhere'));
  await new SealedKeyStore(raw.keys, here).add({ ...GOOD, publicId: GOOD.publicId });
  await new SealedKeyStore(raw.keys, here).add({ publicId: EDITED, aesKey: Buffer.alloc(16) });
  const sealed = (await raw.keys.get(EDITED)) as KeyRecord;
  await raw.keys.replace(sealed, { aesKey: Buffer.from(sealed.aesKey).fill(0, 30) });
  await new SealedKeyStore(raw.keys, elsewhere).add({ publicId: FOREIGN, aesKey: Buffer.alloc(16) });
  const clients = new SealedClientStore(raw.clients, here);
  await clients.add({ id: '2', apiKey: Buffer.alloc(20, 7) });
  await raw.clients.add({ id: '1', apiKey: Buffer.alloc(20) });
  await new SealedClientStore(raw.clients, elsewhere).add({ id: '3', apiKey: Buffer.alloc(20) });
  return command;
}

describe('records that do not open', () => {
  it('are left out of an export, each with what to do', async () => {
    const command = await damaged();
    const keys = await command(['keys', 'export']);
    expect(keys.code).toBe(1);
    expect(keys.stdout).toMatch(/^# ykksm 1\n0,vvcb,[^\n]*\n$/);
    expect(keys.stderr).toMatch(
      /^Left out: The yubikey vvcc .*master key file.*backup.*: yubikey-otp keys delete vvcc$/m,
    );
    expect(keys.stderr).toMatch(
      /^Left out: The yubikey vvcd .* master key elsewhere.*add it to the master key file$/m,
    );
    expect(keys.stderr).toContain('Wrote 1 keys');
    expect(keys.stderr).toContain('Left out because they do not open: 2 keys');
    const clients = await command(['clients', 'export']);
    expect(clients.code).toBe(1);
    expect(clients.stdout).toMatch(/^2,1,\d+,[^\n]*\n$/);
    expect(clients.stderr).toMatch(/^Left out: The client 1 .*: yubikey-otp clients delete 1$/m);
    expect(clients.stderr).toMatch(/^Left out: The client 3 .* master key elsewhere/m);
    expect(await command(['keys', 'export', '--json'])).toMatchObject({ code: 1 });
  });

  it('stop no other command', async () => {
    const command = await damaged();
    expect(await command(['keys', 'show', GOOD.publicId])).toMatchObject({ code: 0 });
    expect(await command(['keys', 'new'])).toMatchObject({ code: 0 });
    expect(await command(['keys', 'show', EDITED])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^Error: The yubikey vvcc does not open: /),
    });
    for (const id of [EDITED, FOREIGN]) {
      const { code, stderr } = await command(['keys', 'add', id], { input: `${'0'.repeat(32)}\n\n` });
      expect([code, stderr]).toEqual([2, expect.stringMatching(/which alone opens it|add it/)]);
      expect(stderr).not.toContain('delete');
    }
    for (const id of [EDITED, FOREIGN])
      expect(await command(['keys', 'delete', '-y', id])).toMatchObject({ code: 0 });
    expect(await command(['keys', 'export'])).toMatchObject({ code: 0 });
  });

  it('do not stop the reseal of the others, which names them', async () => {
    const command = await damaged();
    const next = masterKey('second');
    const ended = await command(['keys', 'reseal', '--json'], {
      env: { YUBIKEY_MASTER_KEY: `${next} ${command.masterKey}` },
    });
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.stdout)).toEqual({
      keys: { checked: 3, resealed: 1 },
      clients: { checked: 3, resealed: 1 },
    });
    expect(ended.stderr).toMatch(
      /^Not resealed: yubikey vvcc, vvcd \(2 in all\)\. .*Restore damaged records from a backup/m,
    );
    expect(ended.stderr).toMatch(/^Not resealed: client 1, 3 \(2 in all\)\. .*old master key/m);
    expectNoSecrets(ended, GOOD);
    const env = { YUBIKEY_MASTER_KEY: next };
    expect(await command(['keys', 'show', GOOD.publicId], { env })).toMatchObject({ code: 0 });
  });

  it('mean a wrong master key if nothing opens, however many there are', async () => {
    const command = await damaged();
    const { keys, raw } = await openStores(command);
    await keys.delete(GOOD.publicId);
    await raw.clients.delete('2');
    const ended = await command(['keys', 'new']);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toMatch(/does not fit this database: it opens none of the 4 keys/);
    expect(ended.stderr).toMatch(/sealed with master key first and elsewhere.*restore it from a backup/);
    expect(ended.stderr).not.toMatch(/delete|master-key new/);
    for (const id of [EDITED, FOREIGN]) await command(['keys', 'delete', '-y', id]);
    await raw.clients.delete('1');
    await raw.clients.delete('3');
    expect(await command(['keys', 'new'])).toMatchObject({ code: 0 });
  });
});
