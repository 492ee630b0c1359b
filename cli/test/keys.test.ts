import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import LibsqlDatabase from 'libsql';
import { LocalKsm, parseOtp } from 'passport-yubikey-otp';
import {
  type KeyRecord,
  newMasterKey,
  parseKeyring,
  SealedKeyStore,
  SqliteStore,
} from 'passport-yubikey-otp/stores';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type CommandOn, commandOn, expectNoSecrets, hex, run, start, temporaryFolder } from './command.js';

const masterKey = (id = 'first') => `${id}:${newMasterKey().toString('base64')}`;
const newCommand = () => commandOn(join(temporaryFolder(), 'keys.db'), masterKey());
const secretsOf = ({ aesKey, privateId }: SoftYubikey) => `${hex(aesKey)}\n${hex(privateId)}\n`;

/** The stores of the command's database, opened by the library as an application does. */
async function openStores({ db, masterKey }: CommandOn) {
  const database = new LibsqlDatabase(db);
  onTestFinished(() => void database.close());
  const store = new SqliteStore({ database });
  await store.migrate();
  return { keys: new SealedKeyStore(store.keys, parseKeyring(masterKey)), counters: store.counters };
}

async function everyKey(command: CommandOn): Promise<Partial<KeyRecord>[]> {
  const { keys } = await openStores(command);
  const { records } = await keys.list({ limit: 10_000 });
  return records.map(({ revision: _, createdAt: __, ...key }) => ({
    ...key,
    aesKey: Buffer.from(key.aesKey),
    privateId: key.privateId && Buffer.from(key.privateId),
  }));
}

describe('yubikey-otp keys', () => {
  it('add, list, show, disable, enable, export, import elsewhere, delete', async () => {
    const [here, there] = [newCommand(), newCommand()];
    const yubikey = new SoftYubikey();
    const { publicId } = yubikey;

    const added = await here(['keys', 'add', publicId, '--notes', "Alice's"], { input: secretsOf(yubikey) });
    expect(added).toMatchObject({ code: 0, stdout: '', stderr: `Added ${publicId}\n` });
    expect(await here.json('keys', 'list')).toEqual([
      { publicId, active: true, createdAt: expect.any(String), notes: "Alice's" },
    ]);
    const shown = await here(['keys', 'show', publicId]);
    expect(shown.code).toBe(0);
    expect(shown.stdout).toMatch(/^Public ID:\s+vv/);
    expect(await here.json('keys', 'show', publicId)).toMatchObject({
      hasPrivateId: true,
      counters: null,
    });

    const { keys } = await openStores(here);
    const ksm = new LocalKsm(keys);
    expect(await ksm.decrypt(parseOtp(yubikey.press()))).toMatchObject({ ok: true, privateIdChecked: true });
    const disabled = await here(['keys', 'disable', publicId]);
    expect(disabled).toMatchObject({ code: 0, stderr: `${publicId} is disabled\n` });
    expect(await ksm.decrypt(parseOtp(yubikey.press()))).toEqual({ ok: false, reason: 'UNKNOWN_KEY' });

    const file = join(temporaryFolder(), 'keys.txt');
    expect(await here(['keys', 'export', '--output', file])).toMatchObject({ code: 0, stdout: '' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await there(['keys', 'import', file])).toMatchObject({ code: 0 });
    expect(await everyKey(there)).toEqual(await everyKey(here));
    expect(await there.json('keys', 'list')).toMatchObject([{ publicId, active: false }]);

    expect(await here(['keys', 'enable', publicId])).toMatchObject({ code: 0 });
    expect(await ksm.decrypt(parseOtp(yubikey.press()))).toMatchObject({ ok: true });
    expect(await here(['keys', 'delete', publicId])).toMatchObject({ code: 2 });
    expect(await here(['keys', 'delete', '--yes', publicId])).toMatchObject({ code: 0 });
    expect(await here(['keys', 'show', publicId])).toMatchObject({
      code: 1,
      stderr: `Error: There is no key ${publicId}\n`,
    });
    for (const ended of [added, shown, disabled]) expectNoSecrets(ended, yubikey);
  });

  it('list prints aligned columns, whatever the notes hold', async () => {
    const command = newCommand();
    const yubikeys = ['', 'cc', 'vvvvvvvvvvvvvvvv'].map((publicId) => new SoftYubikey({ publicId }));
    for (const yubikey of yubikeys) {
      const args = ['keys', 'add', yubikey.publicId, '--notes', 'a\x1b[2J\nb'];
      expect(await command(args, { input: secretsOf(yubikey) })).toMatchObject({ code: 0 });
    }
    const { stdout } = await command(['keys', 'list']);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^PUBLIC ID {9}STATE {5}CREATED {15}NOTES$/);
    expect(lines.slice(1).map((line) => line.indexOf('active'))).toEqual([18, 18, 18]);
    expect(lines.slice(1).every((line) => line.endsWith('Z  a [2J b'))).toBe(true);
  });

  it('add takes the AES key in base64, an OTP for the private ID, and uses that OTP up', async () => {
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

  it('add stores nothing when something is wrong', async () => {
    const command = newCommand();
    const [yubikey, other] = [new SoftYubikey(), new SoftYubikey()];
    const { publicId } = yubikey;
    const aesKey = hex(yubikey.aesKey);
    for (const [code, id, input, says] of [
      [2, publicId, '', 'An AES key is 16 bytes'],
      [2, publicId, `${aesKey}00\n`, 'An AES key is 16 bytes'],
      [2, publicId, `${aesKey}\n${hex(yubikey.privateId)}00\n`, 'neither 12 hexadecimal digits nor an OTP'],
      [2, publicId, `${aesKey}\n${other.press()}\n`, 'of another key'],
      [1, publicId, `${hex(other.aesKey)}\n${yubikey.press()}\n`, 'does not fit the AES key'],
      [2, 'not-modhex', '', 'A public ID has'],
    ] as const) {
      const ended = await command(['keys', 'add', id], { input });
      expect(ended).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(says) });
      expectNoSecrets(ended, yubikey, other);
    }
    expect(await command.json('keys', 'list')).toEqual([]);
    expect(await command(['keys', 'add', publicId], { input: secretsOf(yubikey) })).toMatchObject({
      code: 0,
    });
    expect(await command(['keys', 'add', publicId], { input: secretsOf(other) })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is stored already'),
    });
  });

  it('pin gives a key its private ID, once, from a fresh OTP', async () => {
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

  it('new stores what it prints, and nothing else prints it', async () => {
    const command = newCommand();
    const made = await command(['keys', 'new', '--serial', '7654321']);
    expect(made.code).toBe(0);
    const [, publicId, privateId, aesKey] =
      /^ykman --device 7654321 otp yubiotp 2 --public-id (\w+) --private-id (\w{12}) --key (\w{32})\n$/.exec(
        made.stdout,
      ) ?? [];
    expect(publicId).toBe('vvccccifrnnb');
    expect(made.stderr).toContain('holds its secrets');
    const yubikey = new SoftYubikey({ publicId, privateId, aesKey } as Record<string, string>);
    expectNoSecrets({ ...made, stdout: '' }, yubikey);
    const { keys } = await openStores(command);
    expect(await new LocalKsm(keys).decrypt(parseOtp(yubikey.press()))).toMatchObject({
      privateIdChecked: true,
    });
    for (const args of [
      ['keys', 'list'],
      ['keys', 'show', 'vvccccifrnnb'],
      ['keys', 'show', 'vvccccifrnnb', '--json'],
      ['keys', 'reseal'],
      ['keys', 'new', '--serial', '7654321'],
    ]) {
      expectNoSecrets(await command(args), yubikey);
    }
    expect(await command(['keys', 'new', '--serial', '7654321'])).toMatchObject({ code: 1, stdout: '' });
    const random = await command.json('keys', 'new', '--slot', '1');
    expect(random).toMatchObject({
      publicId: expect.stringMatching(/^vv[cbdefghijklnrtuv]{10}$/),
      command: expect.stringMatching(/^ykman otp yubiotp 1 --public-id vv/),
    });
    for (const wrong of [
      ['--serial', '4294967296'],
      ['--serial', '-1'],
      ['--slot', '3'],
      ['--public-id', 'ccc'],
    ]) {
      expect(await command(['keys', 'new', ...wrong])).toMatchObject({ code: 2, stdout: '' });
    }
  });

  it('disable, enable and delete need no master key, and tell of each key', async () => {
    const command = newCommand();
    const { publicId } = await command.json('keys', 'new');
    const withoutKey = { env: { YUBIKEY_MASTER_KEY: '' } };
    const ended = await command(['keys', 'disable', publicId, 'cccc', '--json'], withoutKey);
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.stdout)).toEqual([
      { publicId, result: 'disabled' },
      { publicId: 'cccc', result: 'not found' },
    ]);
    expect(await command(['keys', 'list'], withoutKey)).toMatchObject({ code: 0 });
    expect(await command(['keys', 'delete', '-y', publicId, 'cccc'], withoutKey)).toMatchObject({ code: 1 });
    expect(await command.json('keys', 'list')).toEqual([]);
  });
});

describe('the master key', () => {
  it('is made by the command, and read from a file', async () => {
    const folder = temporaryFolder();
    const [file, db] = [join(folder, 'master.key'), join(folder, 'keys.db')];
    writeFileSync(file, (await run(['master-key', 'new', '--id', '2026'])).stdout, { mode: 0o644 });
    expect(readFileSync(file, 'utf8')).toMatch(/^2026:[A-Za-z0-9+/]{43}=\n$/);
    const args = ['keys', 'new', '--db', db, '--master-key-file', file];
    const ended = await run(args);
    expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining('can be read by others') });
    expect(ended.stderr).not.toContain(readFileSync(file, 'utf8').slice(5, 20));
    expect(statSync(db).mode & 0o777).toBe(0o600);
  });

  it('is missed with an advice, before a database is made', async () => {
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

  it('does not open the keys of another, nor seal beside them', async () => {
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

  it('is rotated by reseal', async () => {
    const command = newCommand();
    for (let count = 0; count < 3; count++) await command.json('keys', 'new');
    const next = masterKey('second');
    const both = { YUBIKEY_MASTER_KEY: `${next}\n${command.masterKey}` };
    const first = await command(['keys', 'reseal', '--json'], { env: both });
    expect(JSON.parse(first.stdout)).toMatchObject({ keys: { checked: 3, resealed: 3 } });
    const second = await command(['keys', 'reseal'], { env: both });
    expect(second).toMatchObject({ code: 0, stderr: expect.stringContaining('0 of 3 sealed anew') });
    const exported = await command(['keys', 'export'], { env: { YUBIKEY_MASTER_KEY: next } });
    expect(exported.stdout.trim().split('\n')).toHaveLength(4);
    expect(await command(['keys', 'export'])).toMatchObject({ code: 2 });
  });
});

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
