import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KsmVerifier, LocalKsm, MemoryStore, parseOtp } from '../../src/index.js';
import { type CounterStore, type KeyStore, PostgresStore, RedisStore } from '../../src/stores/index.js';
import { SoftYubikey } from '../../src/testing/index.js';
import { record } from '../support/diagnostics.js';
import { describeWith } from '../support/programs.js';
import { missingPostgres, PostgresServer } from '../support/servers/postgres.js';
import { RedisServer } from '../support/servers/redis.js';
import { findShownSecrets } from '../support/shown-secrets.js';
import { redisClients } from '../support/stores/redis-clients.js';
import { temporaryFile, ways } from '../support/stores/sqlite-drivers.js';

interface OpenStore {
  store: { keys: KeyStore; counters: CounterStore };
  /** Closes what the store works with, so that its calls fail. */
  close(): Promise<unknown>;
}

/** The messages of a store, of a batch and of a fault, while OTPs are verified. */
function describeMessages(name: string, batched: boolean, open: () => Promise<OpenStore>): void {
  describe(`verifications with ${name}`, () => {
    const nonce = 'c0ffee00c0ffee11c0ffee22c0ffee33';
    const yubikeys = Array.from({ length: 3 }, () => new SoftYubikey());
    const verifyAll = (verifier: KsmVerifier) =>
      Promise.allSettled(yubikeys.map((key) => verifier.verify(parseOtp(key.press()), { nonce })));

    it('publish their batch, and after that the fault of each', async () => {
      const { store, close } = await open();
      const keys = new MemoryStore().keys;
      for (const key of yubikeys) await keys.add(key);
      const verifier = new KsmVerifier({ ksm: new LocalKsm(keys), counters: store.counters });
      const recording = record();
      await verifyAll(verifier);
      expect(recording.verifications.map(({ result }) => result?.ok)).toEqual([true, true, true]);
      expect(recording.plain('store-fault')).toEqual([]);
      const batch = { store: name, size: 3, outcome: 'WRITTEN', milliseconds: expect.any(Number) };
      expect(recording.plain('batch')).toEqual(batched ? [batch] : []);

      await close();
      await verifyAll(verifier);
      const faults = recording.plain('store-fault');
      expect(faults).toHaveLength(3);
      const codes = recording.verifications.slice(3).map(({ error }) => (error as { code?: string }).code);
      expect(faults.map(({ code }) => code)).toEqual(codes);
      for (const fault of faults) {
        expect(fault).toEqual({
          store: name,
          code: expect.stringMatching(/^(STORE_FAILED|ANSWER_LOST)$/),
          milliseconds: expect.any(Number),
        });
      }
      const failed = recording.plain('batch').slice(1);
      expect(failed.map(({ outcome }) => outcome)).toEqual(batched ? ['REFUSED'] : []);
      const secrets = yubikeys.flatMap(({ aesKey, privateId }) => [aesKey, privateId]);
      const named = { ...Object.fromEntries(secrets.entries()), nonce: Buffer.from(nonce, 'hex') };
      expect(findShownSecrets(recording.messages, named)).toEqual([]);
    });

    it('publish the fault of a key that cannot be read', async () => {
      const { store, close } = await open();
      const verifier = new KsmVerifier({ ksm: new LocalKsm(store.keys), counters: store.counters });
      await close();
      const recording = record();
      await expect(verifier.verify(parseOtp(new SoftYubikey().press()))).rejects.toThrow();
      expect(recording.plain('store-fault')).toMatchObject([{ store: name, code: 'STORE_FAILED' }]);
    });
  });
}

for (const way of ways) {
  describe(way.name, () => {
    describeMessages('SqliteStore', true, async () => {
      const { store, close } = way.open(temporaryFile());
      await store.migrate();
      return { store, close };
    });
  });
}

describeWith('PostgreSQL', missingPostgres, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 60_000);
  afterAll(() => server?.stop(), 30_000);

  describeMessages('PostgresStore', true, async () => {
    const pool = server.pool({ connectionString: await server.newSchema() });
    const store = new PostgresStore({ pool });
    await store.migrate();
    return { store, close: () => pool.end() };
  });
});

describeWith('Redis', ['redis-server'], () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  }, 60_000);
  afterAll(() => server?.stop());

  for (const [name, connect] of Object.entries(redisClients)) {
    describe(`through ${name}`, () => {
      describeMessages('RedisStore', false, async () => {
        const client = await connect(server.url);
        const store = new RedisStore({
          sendCommand: client.sendCommand,
          prefix: `${Math.random()}:`,
          timeout: 500,
        });
        await store.migrate();
        return { store, close: () => client.close() };
      });
    });
  }
});

describe('a MemoryStore', () => {
  it('publishes neither batches nor faults', async () => {
    const { keys, counters } = new MemoryStore();
    const yubikey = new SoftYubikey();
    await keys.add(yubikey);
    const recording = record();
    const verifier = new KsmVerifier({ ksm: new LocalKsm(keys), counters });
    expect(await verifier.verify(parseOtp(yubikey.press()))).toMatchObject({ ok: true });
    expect(recording.names.filter((name) => !name.startsWith('verify:'))).toEqual([]);
  });
});
