import { newMasterKey } from 'passport-yubikey-otp/stores';
import { SoftYubikey } from 'passport-yubikey-otp/testing';
import pg from 'pg';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWith, freePort } from '../../../test/support/programs.js';
import { missingPostgres, PostgresServer } from '../../../test/support/servers/postgres.js';
import { RedisServer } from '../../../test/support/servers/redis.js';
import { commandOn, expectNoSecrets, hex, run } from '../support/command.js';

const masterKey = () => `first:${newMasterKey().toString('base64')}`;

/** All that is kept, in and out again, in a database that a server holds. */
async function tryEverything(db: string): Promise<void> {
  const command = commandOn(db, masterKey());
  const yubikey = new SoftYubikey();
  const { publicId } = yubikey;
  const input = `${hex(yubikey.aesKey)}\n${hex(yubikey.privateId)}\n`;
  expect(await command(['keys', 'add', publicId], { input })).toMatchObject({ code: 0 });
  const lines = Array.from({ length: 250 }, () => {
    const { publicId, privateId, aesKey } = new SoftYubikey();
    return `0,${publicId},${hex(privateId)},${hex(aesKey)},,,\n`;
  }).join('');
  const imported = await command(['keys', 'import', '--json', '-'], { input: `# ykksm 1\n${lines}bad\n` });
  expect(JSON.parse(imported.stdout)).toMatchObject({ added: 250, refused: 1 });
  expect(await command.json('keys', 'list')).toHaveLength(251);
  const counters = `1,1359470658,1359470659,${publicId},9,1,32729,4,aoincuhfuahsaoin,\n`;
  expect(await command(['counters', 'import', '-'], { input: counters })).toMatchObject({ code: 0 });
  const shown = await command(['keys', 'show', publicId, '--json']);
  expect(JSON.parse(shown.stdout)).toMatchObject({ active: true, counters: { usageCounter: 9 } });
  expectNoSecrets(shown, yubikey);
  expect(
    await command(['clients', 'import', '-'], { input: '7,VcQW5h8W5DJnfOEkGUKR1jGbSgU=\n' }),
  ).toMatchObject({
    code: 0,
  });
  const both = { YUBIKEY_MASTER_KEY: `second:${newMasterKey().toString('base64')} ${command.masterKey}` };
  const resealed = await command(['keys', 'reseal', '--json'], { env: both });
  expect(JSON.parse(resealed.stdout)).toEqual({
    keys: { checked: 251, resealed: 251 },
    clients: { checked: 1, resealed: 1 },
  });
  expect(await command(['keys', 'disable', publicId])).toMatchObject({ code: 0 });
  expect(await command(['keys', 'delete', '--yes', publicId])).toMatchObject({ code: 0 });
}

/** Tries every import, to write nothing. */
async function dryRunEverything(db: string, command = commandOn(db, masterKey())): Promise<void> {
  for (const [noun, input] of [
    ['keys', `0,vvcb,ca62baca62ba,ecde18dbe76fbd0c33330f1c354871db,,,\n`],
    ['counters', '1,1359470658,1359470659,vvcb,9,1,32729,4,aoincuhfuahsaoin,\n'],
    ['clients', '9,VcQW5h8W5DJnfOEkGUKR1jGbSgU=\n'],
  ] as const) {
    const ended = await command([noun, 'import', '--dry-run', '-'], { input });
    expect(ended).toMatchObject({ code: 0, stderr: expect.stringMatching(/: 1 (added|raised)/) });
  }
}

describeWith('yubikey-otp on PostgreSQL', missingPostgres, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 60_000);
  afterAll(() => server?.stop(), 30_000);

  it('keeps everything', async () => {
    await tryEverything(await server.newSchema());
  });

  it('writes nothing in a dry run', async () => {
    const db = await server.newDatabase();
    const pool = new pg.Pool({ connectionString: db, max: 1 });
    const dump = async () => {
      const { rows } = await pool.query(
        "SELECT relname, pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid) AS writes FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY relname",
      );
      return rows;
    };
    try {
      await dryRunEverything(db);
      expect(await dump()).toEqual([]);
      const command = commandOn(db, masterKey());
      await command.json('keys', 'new');
      const before = await dump();
      expect(before).not.toEqual([]);
      await dryRunEverything(db, command);
      expect(await dump()).toEqual(before);
    } finally {
      await pool.end();
    }
  });

  it('ends with 2 if there is no database, without repeating the password', async () => {
    const url = new URL(server.url);
    url.pathname = '/nonexistent';
    url.password = 'hunter2';
    const ended = await run(['keys', 'list', '--db', url.href.replace('postgres:', 'postgresql:')]);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('nonexistent') });
    expect(ended.stderr).not.toContain('hunter2');
  });
});

describeWith('yubikey-otp on Redis', ['redis-server'], () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server?.stop());

  it('keeps everything', async () => {
    await tryEverything(server.url);
  });

  it('writes nothing in a dry run', async () => {
    const empty = await RedisServer.start();
    try {
      const client = await createClient({ url: empty.url }).connect();
      client.on('error', () => undefined);
      /** The keys there are, and how many writes there were. */
      const look = async () => {
        const [, writes] = /^rdb_changes_since_last_save:(\d+)/m.exec(await client.info('persistence')) ?? [];
        return { keys: (await client.keys('*')).sort(), writes: Number(writes) };
      };
      await dryRunEverything(empty.url);
      expect(await look()).toEqual({ keys: [], writes: 0 });
      const command = commandOn(empty.url, masterKey());
      await command.json('keys', 'new');
      const before = await look();
      expect(before.writes).toBeGreaterThan(0);
      await dryRunEverything(empty.url, command);
      expect(await look()).toEqual(before);
      client.destroy();
    } finally {
      await empty.stop();
    }
  });

  it('refuses a server that can forget, unless an option allows it', async () => {
    const forgetful = await RedisServer.start(['--appendonly', 'no']);
    try {
      const client = await createClient({ url: forgetful.url }).connect();
      await client.sendCommand(['CONFIG', 'SET', 'requirepass', 'hunter 2']);
      client.destroy();
      const db = forgetful.url.replace('//', '//:hunter%202@');
      const refused = await run(['keys', 'list', '--db', db]);
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('append') });
      const command = commandOn(db, masterKey());
      const args = ['--allow-replay-after-crash', 'counters', 'import', '-'];
      const allowed = await command(args, { input: '1,1,1,vv,1,1,1,1,,\n' });
      expect(allowed).toMatchObject({ code: 0, stderr: expect.stringMatching(/^Warning: .*append-only/) });
      const wrong = await run(['keys', 'list', '--db', db.replace('202', '203')]);
      expect(wrong.code).toBe(2);
      for (const { stderr } of [refused, allowed, wrong]) expect(stderr).not.toMatch(/hunter/);
    } finally {
      await forgetful.stop();
    }
  });
});

describe('a database that cannot be reached', () => {
  it.each(['postgres', 'redis', 'rediss'])(
    '%s: ends with 2 and says where, without the password',
    async (scheme) => {
      const port = await freePort();
      const ended = await run(['keys', 'list', '--db', `${scheme}://me:hunter%402@127.0.0.1:${port}/0`]);
      expect(ended).toMatchObject({ code: 2, stdout: '' });
      expect(ended.stderr).toContain(`The database ${scheme}://127.0.0.1:${port}/0 cannot be used: `);
      expect(ended.stderr).not.toContain('hunter');
    },
  );

  it.each(['postgres://me:hunter2@', 'redis://me:hunter2@:x:y'])(
    '%s: does not repeat a URL that it cannot read',
    async (url) => {
      const ended = await run(['keys', 'list', '--db', url]);
      expect(ended).toMatchObject({ code: 2, stdout: '' });
      expect(ended.stderr).not.toContain('hunter2');
    },
    20_000,
  );
});
