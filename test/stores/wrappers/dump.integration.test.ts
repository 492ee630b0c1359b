import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { LocalKsm } from '../../../src/ksm/local-ksm.js';
import { encodeModhex } from '../../../src/otp/modhex.js';
import { parseOtp } from '../../../src/otp/otp.js';
import {
  type ClientRecord,
  type ClientStore,
  type KeyRecord,
  Keyring,
  type KeyStore,
  newMasterKey,
  PostgresStore,
  RedisStore,
  SealedClientStore,
  SealedKeyStore,
  SqliteStore,
} from '../../../src/stores/index.js';
import type { OpenStore } from '../../../src/testing/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import { KsmVerifier } from '../../../src/verifiers/ksm-verifier.js';
import { describeWith } from '../../support/programs.js';
import { missingPostgres, PostgresServer } from '../../support/servers/postgres.js';
import { RedisServer } from '../../support/servers/redis.js';
import { redisClients } from '../../support/stores/redis-clients.js';
import { secretsIn } from '../../support/stores/secret-search.js';
import { drivers, openFor, temporaryFile } from '../../support/stores/sqlite-drivers.js';

type Secrets = Record<string, Uint8Array>;
interface Dumped extends Omit<OpenStore, 'close'> {
  /** By name, everything that the engine has stored. */
  dump(): Promise<Record<string, Buffer>>;
}

const keys = { a: newMasterKey(), b: newMasterKey() };
const [ringA, ringB] = [new Keyring({ keys, current: 'a' }), new Keyring({ keys, current: 'b' })];

/** Adds keys and clients, verifies, pins, changes, disables, reseals (if `seal`) and deletes them. */
async function runLifecycle(store: Dumped, seal: boolean): Promise<Secrets> {
  const sealedKeys = (ring: Keyring): KeyStore => (seal ? new SealedKeyStore(store.keys, ring) : store.keys);
  const sealedClients = (ring: Keyring): ClientStore =>
    seal ? new SealedClientStore(store.clients, ring) : store.clients;
  const [keys, clients] = [sealedKeys(ringA), sealedClients(ringA)];
  const secrets: Secrets = {};
  const yubikeys = ['cc', 'cb', 'cd'].map((publicId) => new SoftYubikey({ publicId }));
  for (const yubikey of yubikeys) {
    const { publicId, aesKey, privateId } = yubikey;
    Object.assign(secrets, { [`AES key ${publicId}`]: aesKey, [`private ID ${publicId}`]: privateId });
    await keys.add({ publicId, aesKey });
    await keys.replace((await keys.get(publicId)) as KeyRecord, { privateId });
    const verifier = new KsmVerifier({ ksm: new LocalKsm(keys), counters: store.counters });
    expect(await verifier.verify(parseOtp(yubikey.press()))).toMatchObject({ ok: true });
  }
  for (const id of ['1', '2', '3']) {
    const apiKey = randomBytes(20);
    secrets[`API key ${id}`] = apiKey;
    await clients.add({ id, apiKey, notes: 'VPN' });
    await clients.replace((await clients.get(id)) as ClientRecord, { notes: 'mail' });
  }
  await keys.replace((await keys.get('cb')) as KeyRecord, { active: false, notes: 'lost' });
  if (seal) {
    await new SealedKeyStore(store.keys, ringB).reseal();
    await new SealedClientStore(store.clients, ringB).reseal();
  }
  await sealedKeys(ringB).delete('cd');
  await sealedClients(ringB).delete('3');
  return secrets;
}

/** Tests dumps of a store after such a lifecycle, while it is still in use. `open` returns an empty store. */
function describeDump(open: () => Promise<Dumped>) {
  it('of a sealed store holds no AES key, private ID, API key or master key, in any spelling', async () => {
    const store = await open();
    const secrets = await runLifecycle(store, true);
    Object.assign(secrets, { 'master key a': keys.a, 'master key b': keys.b });
    for (const [name, bytes] of Object.entries(await store.dump())) {
      expect(secretsIn(bytes, secrets), name).toEqual([]);
      expect(bytes.length, name).toBeGreaterThan(100);
    }
    expect((await new SealedKeyStore(store.keys, ringB).list()).records).toHaveLength(2);
  });

  it('of a store that is not sealed holds them all: the search can fail', async () => {
    const store = await open();
    const secrets = await runLifecycle(store, false);
    const alive = Object.keys(secrets).filter((name) => !name.endsWith('cd') && !name.endsWith('3'));
    for (const [name, bytes] of Object.entries(await store.dump())) {
      const found = secretsIn(bytes, secrets).map((it) => it.replace(/ as .*/, ''));
      expect(new Set(found), name).toEqual(new Set([...found, ...alive]));
    }
  });
}

describe.each(drivers)('a dump of a SQLite file, through $name,', (driver) => {
  describeDump(async () => {
    const path = temporaryFile();
    const database = openFor(driver, path);
    const store = new SqliteStore({ database });
    await store.migrate();
    const { keys, clients, counters } = store;
    const dump = async () => {
      const wal = readFileSync(`${path}-wal`);
      database.exec('PRAGMA wal_checkpoint(FULL)');
      return { 'the WAL before a checkpoint': wal, 'the file after it': readFileSync(path) };
    };
    return { keys, clients, counters, dump };
  });
});

describeWith('pg_dump', missingPostgres, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 60_000);
  afterAll(() => server?.stop());

  describeDump(async () => {
    const connectionString = await server.newDatabase();
    const pool = server.pool({ connectionString });
    onTestFinished(() => pool.end());
    const store = new PostgresStore({ pool });
    await store.migrate();
    const { keys, clients, counters } = store;
    const dump = async () => {
      const { rows } = await pool.query("SELECT setting FROM pg_config WHERE name = 'BINDIR'");
      const program = join(rows[0].setting, 'pg_dump');
      return Object.fromEntries(
        [[], ['--inserts']].map((options) => [
          `pg_dump ${options}`,
          execFileSync(program, [...options, connectionString]),
        ]),
      );
    };
    return { keys, clients, counters, dump };
  });
});

describeWith('a dump of Redis', ['redis-server'], () => {
  describeDump(async () => {
    const server = await RedisServer.start();
    const client = await redisClients.ioredis?.(server.url);
    if (!client) throw new Error('no client');
    onTestFinished(async () => {
      await client.close();
      await server.stop();
    });
    const ask = async (...command: string[]) => (await client.sendCommand(undefined, command)) as string[];
    const store = new RedisStore({ sendCommand: client.sendCommand });
    await store.migrate();
    const valueAt = async (key: string) => {
      const type = String(await ask('TYPE', key));
      if (type === 'hash') return ask('HGETALL', key);
      if (type === 'zset') return ask('ZRANGE', key, '0', '-1');
      expect(type).toBe('string');
      return ask('GET', key);
    };
    const dump = async () => {
      const found = await ask('KEYS', '*');
      expect(found.length).toBeGreaterThanOrEqual(8);
      const values = await Promise.all(
        found.map(async (key) => `${key} ${JSON.stringify(await valueAt(key))}`),
      );
      const [, folder] = await ask('CONFIG', 'GET', 'dir');
      const aof = join(String(folder), 'appendonlydir');
      const files = readdirSync(aof).map((file) => readFileSync(join(aof, file)));
      return { 'every value': Buffer.from(values.join('\n')), 'the AOF': Buffer.concat(files) };
    };
    const { keys, clients, counters } = store;
    return { keys, clients, counters, dump };
  });
});

describe('the search for secrets in a dump', () => {
  const secret = randomBytes(16);
  const inside = Buffer.concat([randomBytes(2), secret, randomBytes(5)]);
  it.each([
    ['raw bytes', inside],
    ['hex', inside.toString('hex')],
    ['upper-case hex', inside.toString('hex').toUpperCase()],
    ['base64', inside.toString('base64')],
    ['base64 at another alignment', inside.subarray(1).toString('base64')],
    ['base64 of the secret alone', secret.toString('base64')],
    ['base64url', inside.toString('base64url')],
    ['modhex', encodeModhex(inside)],
  ])('finds %s', (_, dump) => {
    expect(secretsIn(Buffer.from(dump), { secret })).not.toEqual([]);
    expect(secretsIn(Buffer.from(dump), { secret: randomBytes(16) })).toEqual([]);
  });
});
