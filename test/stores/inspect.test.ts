import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  CachedClientStore,
  CachedKeyStore,
  type ClientStore,
  Keyring,
  type KeyStore,
  MemoryStore,
  newMasterKey,
  type PostgresClient,
  PostgresStore,
  parseKeyring,
  RedisStore,
  SealedClientStore,
  SealedKeyStore,
  type SendCommand,
  SqliteStore,
} from '../../src/stores/index.js';
import { openSqlite } from '../support/fixtures/shared-store.js';
import { secretsIn } from '../support/stores/secret-search.js';
import { temporaryFile } from '../support/stores/sqlite-drivers.js';

const PUBLIC_ID = 'vvcbdefghijk';
const CLIENT_ID = '87';
const secrets = {
  'AES key': randomBytes(16),
  'private ID': randomBytes(6),
  'API key': randomBytes(20),
  'master key': newMasterKey(),
};
const key = { publicId: PUBLIC_ID, aesKey: secrets['AES key'], privateId: secrets['private ID'] };
const client = { id: CLIENT_ID, apiKey: secrets['API key'] };

interface Stores {
  keys: KeyStore;
  clients: ClientStore;
}

const withSingleBlanks = (text: string) => text.replaceAll(/\s+/g, ' ');

/** All that `inspect` can be made to show of a value, and its JSON. */
function show(value: unknown): string {
  const options = { showHidden: true, depth: Infinity, maxArrayLength: Infinity, maxStringLength: Infinity };
  return withSingleBlanks(`${inspect(value, options)} ${JSON.stringify(value)}`);
}

/** Which secrets the text holds, and how they are spelled. */
function findSecretsIn(text: string): string[] {
  const asInspected = Object.entries(secrets).flatMap(([name, secret]) => {
    const spellings = {
      'hex with blanks': secret.toString('hex').replaceAll(/..(?!$)/g, '$& '),
      'a list of bytes': [...secret].join(', '),
      'a JSON list of bytes': [...secret].join(','),
      'a string of latin1': inspect(secret.toString('latin1')).slice(1, -1),
    };
    return Object.entries(spellings)
      .filter(([, spelling]) => text.includes(withSingleBlanks(spelling)))
      .map(([spelling]) => `${name} as ${spelling}`);
  });
  return [...asInspected, ...secretsIn(Buffer.from(text, 'latin1'), secrets)];
}

async function fill({ keys, clients }: Stores): Promise<void> {
  expect([await keys.add(key), await clients.add(client)]).toEqual([true, true]);
}

async function readAll({ keys, clients }: Stores): Promise<void> {
  expect(Buffer.from((await keys.get(PUBLIC_ID))?.aesKey ?? [])).toEqual(key.aesKey);
  expect(Buffer.from((await clients.get(CLIENT_ID))?.apiKey ?? [])).toEqual(client.apiKey);
  expect((await keys.list()).records).toHaveLength(1);
}

/** A connection that answers every statement with the same rows. */
function fakePostgres(): PostgresStore {
  const columns = { id: 'c', notes: '', active: 1, created_at: 0, revision: 'r', fsync: 'on', level: 'on' };
  const row = {
    ...columns,
    version: 1,
    aes_key: key.aesKey,
    private_id: key.privateId,
    api_key: client.apiKey,
  };
  const connection: PostgresClient = {
    query: async () => ({ rows: [row] }),
    release: () => undefined,
  };
  return new PostgresStore({ pool: { connect: (callback) => callback(undefined, connection) } });
}

/** A Redis that holds one key and one client. */
function fakeRedis(): RedisStore {
  const answers: Record<string, (args: string[]) => unknown> = {
    INFO: () => 'aof_enabled:1\r\nmaxmemory_policy:noeviction\r\n',
    CONFIG: () => ['appendfsync', 'always'],
    ZRANGEBYLEX: () => [PUBLIC_ID],
    HMGET: ([, ...fields]) => fields.map((field) => values[field] ?? null),
  };
  const values: Record<string, string> = {
    revision: 'r',
    aes_key: key.aesKey.toString('base64'),
    private_id: key.privateId.toString('base64'),
    api_key: client.apiKey.toString('base64'),
  };
  const sendCommand: SendCommand = async (_key, [name = '', ...args]) => answers[name]?.(args) ?? 1;
  return new RedisStore({ sendCommand });
}

const engines: Record<string, () => Promise<Stores>> = {
  MemoryStore: async () => new MemoryStore(),
  SqliteStore: async () => {
    const database = openSqlite(temporaryFile());
    onTestFinished(() => database.close());
    const store = new SqliteStore({ database });
    await store.migrate();
    return store;
  },
  PostgresStore: async () => {
    const store = fakePostgres();
    await store.migrate();
    return store;
  },
  RedisStore: async () => {
    const store = fakeRedis();
    await store.migrate();
    return store;
  },
};

describe.each(Object.entries(engines))('inspect of %s shows no secret', (_, open) => {
  it('in the store, its keys and its clients', async () => {
    const store = await open();
    await fill(store);
    await readAll(store);
    for (const value of [store, store.keys, store.clients]) expect(findSecretsIn(show(value))).toEqual([]);
  });

  it('while calls are in flight', async () => {
    const store = await open();
    const calls = [fill(store), store.keys.get(PUBLIC_ID), store.clients.get(CLIENT_ID)];
    for (const value of [store, store.keys, store.clients]) expect(findSecretsIn(show(value))).toEqual([]);
    await Promise.all(calls);
  });

  it('in stores that cache it', async () => {
    const store = await open();
    await fill(store);
    const cached = { keys: new CachedKeyStore(store.keys), clients: new CachedClientStore(store.clients) };
    await readAll(cached);
    for (const value of [cached.keys, cached.clients]) expect(findSecretsIn(show(value))).toEqual([]);
  });
});

describe.each(['MemoryStore', 'SqliteStore'])('inspect of a sealed %s shows no secret', (name) => {
  it('in the keyring, the sealed stores, the store below them, and stores that cache them', async () => {
    const keyring = new Keyring({ keys: { one: secrets['master key'] }, current: 'one' });
    const store = (await engines[name]?.()) as Stores;
    const sealed = {
      keys: new SealedKeyStore(store.keys, keyring),
      clients: new SealedClientStore(store.clients, keyring),
    };
    await fill(sealed);
    await readAll(sealed);
    const cached = { keys: new CachedKeyStore(sealed.keys), clients: new CachedClientStore(sealed.clients) };
    await readAll(cached);
    for (const value of [keyring, store, sealed, cached]) expect(findSecretsIn(show(value))).toEqual([]);
  });
});

it('inspect of a keyring that was read from text shows no master key', () => {
  const keyring = parseKeyring(`one:${secrets['master key'].toString('base64')}`);
  keyring.seal('yubikey', PUBLIC_ID, key.aesKey);
  expect(findSecretsIn(show(keyring))).toEqual([]);
});

describe('the search for secrets in the output of inspect finds them', () => {
  const names = Object.keys(secrets);
  const everySecret = Object.values(secrets);
  it.each([
    ['in plain properties', { ...secrets }],
    ['in rows of a Map', new Map(Object.entries(secrets))],
    ['in a hidden property', Object.defineProperty({}, 'row', { value: secrets })],
    ['as arrays of bytes', everySecret.map((secret) => Uint8Array.from(secret))],
    ['as lists of numbers', everySecret.map((secret) => [...secret])],
    ['as hex', everySecret.map((secret) => secret.toString('hex'))],
    ['as base64', everySecret.map((secret) => secret.toString('base64'))],
    ['as latin1', everySecret.map((secret) => secret.toString('latin1'))],
  ])('%s', (_, value) => {
    const found = findSecretsIn(show(value)).map((it) => it.replace(/ as .*/, ''));
    expect([...new Set(found)].sort()).toEqual([...names].sort());
  });
});
