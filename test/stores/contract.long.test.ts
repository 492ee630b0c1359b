import { afterAll, beforeAll, describe } from 'vitest';
import { PostgresStore, RedisStore, type SendCommand } from '../../src/stores/index.js';
import type { OpenStore } from '../../src/testing/index.js';
import { describeWith } from '../support/programs.js';
import { missingPostgres, PostgresServer } from '../support/servers/postgres.js';
import { RedisServer } from '../support/servers/redis.js';
import { type RedisClient, redisClients } from '../support/stores/redis-clients.js';
import { RedisCluster, redisClusterClients } from '../support/stores/redis-cluster.js';
import { withSealedSecrets } from '../support/stores/seal.js';
import { openEmptyStore, ways } from '../support/stores/sqlite-drivers.js';
import { describeStore } from '../support/stores/store-contract.js';

// The whole contract with the combinations for which the integration tests have only a smoke test.

for (const [n, way] of ways.entries()) {
  const open = () => openEmptyStore(way);
  if (n >= 2 && way.name.endsWith('in threads')) describeStore(`SqliteStore with ${way.name}`, open);
  describeStore(`SqliteStore with ${way.name}, sealed`, withSealedSecrets(open));
}

describeWith('PostgreSQL', missingPostgres, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server?.stop());

  const open = async () => {
    const pool = server.pool({ connectionString: await server.newSchema() });
    const store = new PostgresStore({ pool });
    await store.migrate();
    const { keys, clients, counters } = store;
    return { keys, clients, counters, close: () => pool.end() };
  };
  describeStore('PostgresStore, sealed', withSealedSecrets(open));
});

async function openRedisStore(sendCommand: SendCommand): Promise<OpenStore> {
  const store = new RedisStore({ sendCommand, prefix: `${Math.random()}:` });
  await store.migrate();
  const { keys, clients, counters } = store;
  return { keys, clients, counters, close: async () => undefined };
}

describeWith('Redis', ['redis-server'], () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server?.stop());

  describe.each(Object.entries(redisClients))('through %s', (_, connect) => {
    let client: RedisClient;
    beforeAll(async () => {
      client = await connect(server.url);
    });
    afterAll(() => client?.close());

    const open = () => openRedisStore(client.sendCommand);
    describeStore('RedisStore, sealed', withSealedSecrets(open));
  });
});

describeWith('Redis Cluster', ['redis-server'], () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await RedisCluster.start();
  });
  afterAll(() => cluster?.stop());

  describe.each(Object.entries(redisClusterClients))('through the cluster client of %s', (name, connect) => {
    let client: RedisClient;
    beforeAll(async () => {
      client = await connect(cluster);
    });
    afterAll(() => client?.close());

    const open = () => openRedisStore(client.sendCommand);
    if (name !== Object.keys(redisClusterClients)[0]) describeStore('RedisStore', open);
    describeStore('RedisStore, sealed', withSealedSecrets(open));
  });
});
