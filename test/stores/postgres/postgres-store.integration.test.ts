import { afterAll, beforeAll, expect, it } from 'vitest';
import { PostgresStore } from '../../../src/stores/index.js';
import { describeWith } from '../../support/programs.js';
import { missingPostgres, PostgresServer } from '../../support/servers/postgres.js';
import { withSealedSecrets } from '../../support/stores/seal.js';
import { describeStore, describeStoreSmoke } from '../../support/stores/store-contract.js';

describeWith('PostgreSQL', missingPostgres, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 60_000);
  afterAll(() => server?.stop(), 30_000);

  async function openStore(connectionString?: string) {
    const pool = server.pool({ connectionString: connectionString ?? (await server.newSchema()) });
    const store = new PostgresStore({ pool });
    return { store, pool };
  }

  const openAt = async (connectionString: string) => {
    const { store, pool } = await openStore(connectionString);
    await store.migrate();
    const { keys, clients, counters } = store;
    return { connectionString, keys, clients, counters, close: () => pool.end() };
  };
  const open = async () => openAt(await server.newSchema());
  describeStore('PostgresStore', open, ({ connectionString }) => openAt(connectionString));
  describeStoreSmoke('PostgresStore, sealed', withSealedSecrets(open));

  it('reports durability, with synchronous_commit on in every connection it uses', async () => {
    const connectionString = await server.newDatabase();
    const name = new URL(connectionString).pathname.slice(1);
    const pool = server.pool({ connectionString, max: 1 });
    await pool.query(`ALTER DATABASE ${name} SET synchronous_commit = off`);
    await pool.end();

    const used = server.pool({ connectionString, max: 1 });
    expect((await used.query('SHOW synchronous_commit')).rows).toEqual([{ synchronous_commit: 'off' }]);
    const store = new PostgresStore({ pool: used });
    expect(await store.migrate()).toMatchObject({ durable: true });
    await store.counters.advance('vv', { usageCounter: 1, sessionUse: 0, timestamp: 0 });
    expect((await used.query('SHOW synchronous_commit')).rows).toEqual([{ synchronous_commit: 'on' }]);
    expect((await used.query('SHOW fsync')).rows).toEqual([{ fsync: 'on' }]);
    await used.end();
  });

  it('refuses a server with fsync=off, unless replays after a crash are allowed', async () => {
    await server.halt();
    await server.run('fsync=off');
    const { store, pool } = await openStore();
    await expect(store.migrate()).rejects.toMatchObject({ code: 'STORE_NOT_DURABLE' });
    const allowing = new PostgresStore({ pool, allowReplayAfterCrash: true });
    expect(await allowing.migrate()).toMatchObject({ durable: false });
    await pool.end();
    await server.halt();
    await server.run();
  });

  it('cannot be used before migrate()', async () => {
    const { store, pool } = await openStore();
    await expect(store.counters.get('vv')).rejects.toMatchObject({ code: 'STORE_NOT_MIGRATED' });
    await pool.end();
  });

  it('migrates once if many instances start at once', async () => {
    const { pool } = await openStore();
    const stores = Array.from({ length: 8 }, () => new PostgresStore({ pool }));
    await Promise.all(stores.map((store) => store.migrate()));
    expect((await pool.query('SELECT version FROM yubikey_schema')).rows).toEqual([{ version: 1 }]);
    await pool.end();
  });

  it('refuses a schema of a newer version', async () => {
    const { store, pool } = await openStore();
    await store.migrate();
    await pool.query('INSERT INTO yubikey_schema (version) VALUES (999)');
    await expect(new PostgresStore({ pool }).migrate()).rejects.toMatchObject({ code: 'STORE_NOT_MIGRATED' });
    await pool.end();
  });

  it('recovers by itself after the server was restarted', async () => {
    const { store, pool } = await openStore();
    await store.migrate();
    const counters = { usageCounter: 1, sessionUse: 0, timestamp: 0 };
    expect(await store.counters.advance('vv', counters)).toMatchObject({ advanced: true });
    await server.halt('SIGQUIT');
    await expect(store.counters.advance('vv', { ...counters, usageCounter: 2 })).rejects.toThrow();
    await server.run();
    expect(await store.counters.advance('vv', counters)).toEqual({ advanced: false, reason: 'REPLAYED_OTP' });
    expect(await store.counters.advance('vv', { ...counters, usageCounter: 2 })).toMatchObject({
      advanced: true,
    });
    await pool.end();
  });
});
