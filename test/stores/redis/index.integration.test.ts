import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type KeyStore, RedisStore, type SendCommand } from '../../../src/stores/index.js';
import { describeWith } from '../../support/programs.js';
import { RedisServer } from '../../support/servers/redis.js';
import { type RedisClient, redisClients } from '../../support/stores/redis-clients.js';

const KEY = { publicId: 'vvcbdefghijk', aesKey: Buffer.alloc(16, 1), privateId: Buffer.alloc(6, 2) };

describeWith('The index of keys in Redis', ['redis-server'], () => {
  let server: RedisServer;
  let client: RedisClient;
  beforeAll(async () => {
    server = await RedisServer.start();
    client = (await redisClients.redis?.(server.url)) as RedisClient;
  });
  afterAll(async () => {
    await client?.close();
    await server?.stop();
  });

  async function migrated(prefix: string, sendCommand: SendCommand): Promise<KeyStore> {
    const store = new RedisStore({ sendCommand, prefix });
    await store.migrate();
    return store.keys;
  }

  it('lists every key that exists, in whatever order the commands of adds and deletes arrive', async () => {
    const calls = fc.array(fc.constantFrom('add', 'delete'), { minLength: 2, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), calls, async (scheduler, calls) => {
        const prefix = `${Math.random()}:`;
        const keys = await migrated(prefix, client.sendCommand);
        let turn = async () => {};
        const disturbed = await migrated(prefix, async (key, command) => {
          await turn();
          return client.sendCommand(key, command);
        });
        turn = () => scheduler.schedule(Promise.resolve());
        const running = calls.map((call) =>
          call === 'add' ? disturbed.add(KEY) : disturbed.delete(KEY.publicId),
        );
        while (scheduler.count() > 0) {
          await scheduler.waitOne();
          await setImmediate();
          const isThere = (await keys.get(KEY.publicId)) !== undefined;
          const { records } = await keys.list();
          expect(records.map(({ publicId }) => publicId)).toEqual(isThere ? [KEY.publicId] : []);
        }
        await Promise.all(running);
      }),
      { numRuns: 150 },
    );
  });

  it('lists every key with counters: no first OTP is accepted before its key is in the index', async () => {
    const prefix = `${Math.random()}:`;
    let indexFails = false;
    const store = new RedisStore({
      prefix,
      sendCommand: async (key, command) => {
        if (indexFails && command[0] === 'ZADD') throw new Error('Socket closed unexpectedly');
        return client.sendCommand(key, command);
      },
    });
    await store.migrate();
    const counters = (usageCounter: number) => ({ usageCounter, sessionUse: 0, timestamp: 0 });
    expect(await store.counters.advance('cc', counters(1))).toMatchObject({ advanced: true });
    indexFails = true;
    expect(await store.counters.advance('cc', counters(2))).toMatchObject({ advanced: true });
    await expect(store.counters.advance('dd', counters(1))).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(await store.counters.get('dd')).toBeUndefined();
    indexFails = false;
    expect(await store.counters.advance('dd', counters(1))).toMatchObject({ advanced: true });
    const { records } = await store.counters.list();
    expect(records.map(({ publicId }) => publicId)).toEqual(['cc', 'dd']);
  });

  it('skips deleted keys, however many come before the next one that exists', async () => {
    const keys = await migrated(`${Math.random()}:`, client.sendCommand);
    const publicIds = Array.from(
      { length: 60 },
      (_, n) => `v${'cbdefghijk'[Math.floor(n / 10)]}${'bcdefghijk'[n % 10]}`,
    );
    for (const publicId of publicIds) await keys.add({ ...KEY, publicId });
    const left = publicIds.filter((_, n) => n % 20 === 19);
    for (const publicId of publicIds) if (!left.includes(publicId)) await keys.delete(publicId);
    const first = await keys.list({ limit: 2 });
    const second = await keys.list({ limit: 2, after: first.next });
    const seen = [...first.records, ...second.records].map(({ publicId }) => publicId);
    expect(seen).toEqual([...left].sort());
    expect(second.next).toBeUndefined();
  });
});
