import { Redis as IoRedis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RedisStore, type SendCommand } from '../../../src/stores/index.js';
import { hashSlot, keysInEachSlot, SLOT_COUNT } from '../../../src/stores/redis/cluster.js';
import { describeWith } from '../../support/programs.js';
import { type RedisClient, redisClients } from '../../support/stores/redis-clients.js';
import { RedisCluster, redisClusterClients } from '../../support/stores/redis-cluster.js';

const STRONG = {
  appendonly: 'yes',
  appendfsync: 'always',
  'no-appendfsync-on-rewrite': 'no',
  'maxmemory-policy': 'noeviction',
};

describeWith('The durability of a Redis Cluster', ['redis-server'], () => {
  let cluster: RedisCluster;
  let nodes: IoRedis[];
  beforeAll(async () => {
    cluster = await RedisCluster.start();
    nodes = cluster.servers.map(({ url }) => new IoRedis(url));
  });
  afterAll(async () => {
    for (const node of nodes) node.disconnect();
    await cluster?.stop();
  });
  afterEach(async () => {
    for (const [n] of nodes.entries()) await weaken(n, STRONG);
  });

  async function weaken(n: number, settings: Partial<typeof STRONG>): Promise<void> {
    for (const [name, value] of Object.entries(settings)) await nodes[n]?.config('SET', name, value);
  }

  describe.each(Object.entries(redisClusterClients))('through the cluster client of %s', (_, connect) => {
    let client: RedisClient;
    beforeAll(async () => {
      client = await connect(cluster);
    });
    afterAll(() => client?.close());
    const store = (options = {}) => new RedisStore({ sendCommand: client.sendCommand, ...options });

    it('is promised if every master syncs before it answers', async () => {
      const { durable, statement } = await store().migrate();
      expect(durable).toBe(true);
      expect(statement).toContain('3 masters');
    });

    describe.each([0, 1, 2])('with one weak master, number %i', (n) => {
      it.each([{ appendonly: 'no' }, { 'maxmemory-policy': 'allkeys-lru' }])(
        'is refused for %j, unless replays after a crash are allowed',
        async (settings) => {
          await weaken(n, settings);
          await expect(store().migrate()).rejects.toMatchObject({
            code: 'STORE_NOT_DURABLE',
            message: expect.stringContaining(`127.0.0.1:${cluster.servers[n]?.port}`),
          });
          expect(await store({ allowReplayAfterCrash: true }).migrate()).toMatchObject({ durable: false });
        },
      );

      it.each([
        [{ appendfsync: 'everysec' }, ['appendfsync=everysec', 'the last second']],
        [{ appendfsync: 'no' }, ['appendfsync=no', 'the system last wrote']],
        [
          { 'no-appendfsync-on-rewrite': 'yes' },
          ['appendfsync=always', 'no-appendfsync-on-rewrite=yes', 'began to rewrite'],
        ],
      ])('is not promised for %j, and the statement says what can be lost', async (settings, said) => {
        await weaken(n, settings);
        const { durable, statement } = await store().migrate();
        expect(durable).toBe(false);
        for (const words of [...said, 'accepted again']) expect(statement).toContain(words);
      });
    });

    it('is the weakest of each setting if several masters are weak', async () => {
      await weaken(0, { appendfsync: 'everysec' });
      await weaken(1, { 'no-appendfsync-on-rewrite': 'yes' });
      const { statement } = await store().migrate();
      expect(statement).toContain('appendfsync=everysec, no-appendfsync-on-rewrite=yes');
    });

    it('is not refused for a master that holds no key of the store', async () => {
      const prefix = 'yubikey-otp:{here}:';
      const owner = Math.floor(hashSlot(prefix) / Math.ceil(SLOT_COUNT / 3));
      for (const n of [0, 1, 2]) if (n !== owner) await weaken(n, { appendonly: 'no' });
      expect(await store({ prefix }).migrate()).toMatchObject({ durable: true });
      await weaken(owner, { appendonly: 'no' });
      await expect(store({ prefix }).migrate()).rejects.toMatchObject({ code: 'STORE_NOT_DURABLE' });
    });

    it.each([
      ['CONFIG is not allowed', 'CONFIG'],
      ['the masters do not tell their ids', 'CLUSTER MYID'],
    ])('is not promised if %s', async (_, refused) => {
      const sendCommand: SendCommand = (key, command) =>
        command.join(' ').startsWith(refused)
          ? Promise.reject(new Error('NOPERM'))
          : client.sendCommand(key, command);
      const { durable, statement } = await store({ sendCommand }).migrate();
      expect(durable).toBe(false);
      expect(statement).toContain('appendfsync=unknown');
    });

    it('is not promised if commands without a key reach only one master', async () => {
      const [first] = nodes as [IoRedis];
      const sendCommand: SendCommand = (key, command) =>
        key === undefined
          ? first.call(...(command as [string, ...string[]]))
          : client.sendCommand(key, command);
      const { durable, statement } = await store({ sendCommand }).migrate();
      expect(durable).toBe(false);
      expect(statement).toContain('appendfsync=unknown');
    });
  });

  it.each(Object.entries(redisClients))(
    'cannot be read through a plain client of %s, which is refused with advice on what to use instead',
    async (_, connect) => {
      const { sendCommand, close } = await connect(cluster.servers[0]?.url as string);
      await expect(new RedisStore({ sendCommand }).migrate()).rejects.toMatchObject({
        code: 'STORE_FAILED',
        message: expect.stringContaining('createCluster'),
      });
      await close();
    },
  );

  it('is read for every slot: keys are in the slots where Redis puts them', async () => {
    const keys = [
      '',
      'a',
      '123456789',
      '{a}b',
      'x{a}b',
      '{}a',
      'a{',
      'a{b',
      '}{a}',
      '{{a}}',
      '{a}{b}',
      'é{ü}',
    ];
    for (const key of keys) expect(await nodes[0]?.cluster('KEYSLOT', key), key).toBe(hashSlot(key));
    for (const prefix of ['yubikey-otp:', '', 'a{b', '{}']) {
      expect(new Set([...keysInEachSlot(prefix)].map(hashSlot)).size, prefix).toBe(SLOT_COUNT);
    }
  });
});
