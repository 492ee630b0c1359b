import { Redis as IoRedis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisStore } from '../../../src/stores/index.js';
import { describeWith } from '../../support/programs.js';
import type { RedisClient } from '../../support/stores/redis-clients.js';
import { RedisCluster, redisClusterClients } from '../../support/stores/redis-cluster.js';
import { withSealedSecrets } from '../../support/stores/seal.js';
import { describeStore, describeStoreSmoke } from '../../support/stores/store-contract.js';

describeWith('Redis Cluster', ['redis-server'], () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await RedisCluster.start();
  }, 60_000);
  afterAll(() => cluster?.stop());

  for (const [n, [name, connect]] of Object.entries(redisClusterClients).entries()) {
    describe(`through the cluster client of ${name}`, () => {
      let client: RedisClient;
      beforeAll(async () => {
        client = await connect(cluster);
      });
      afterAll(() => client?.close());

      const open = async () => {
        const store = new RedisStore({ sendCommand: client.sendCommand, prefix: `${Math.random()}:` });
        await store.migrate();
        const { keys, clients, counters } = store;
        return { keys, clients, counters, close: async () => undefined };
      };
      // A single server runs the whole contract through both clients.
      const describeOver = n === 0 ? describeStore : describeStoreSmoke;
      describeOver('RedisStore', open);
      describeStoreSmoke('RedisStore, sealed', withSealedSecrets(open));
    });
  }

  it('has the stores of these tests on every node', async () => {
    for (const { url } of cluster.servers) {
      const node = new IoRedis(url);
      expect(await node.dbsize()).toBeGreaterThan(100);
      node.disconnect();
    }
  });
});
