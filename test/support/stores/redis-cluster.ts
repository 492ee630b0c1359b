import { setTimeout as sleep } from 'node:timers/promises';
import { Redis as IoRedis, Cluster as IoRedisCluster } from 'ioredis';
import { createCluster } from 'redis';
import { freePort } from '../programs.js';
import { RedisServer } from '../servers/redis.js';
import type { RedisClient } from './redis-clients.js';

const SLOTS = 16_384;

/** A Redis Cluster for one test, whose servers share the slots equally. */
export class RedisCluster {
  private constructor(readonly servers: readonly RedisServer[]) {}

  static async start(size = 3): Promise<RedisCluster> {
    const busPorts = await Promise.all(Array.from({ length: size }, freePort));
    const servers = await Promise.all(
      busPorts.map((port) =>
        RedisServer.start([
          ...RedisServer.DURABLE,
          ...['--cluster-enabled', 'yes', '--cluster-port', String(port), '--cluster-node-timeout', '60000'],
        ]),
      ),
    );
    const nodes = servers.map(({ url }) => new IoRedis(url));
    const share = Math.ceil(SLOTS / size);
    for (const [n, node] of nodes.entries()) {
      await node.call('CLUSTER', 'ADDSLOTSRANGE', n * share, Math.min((n + 1) * share, SLOTS) - 1);
      await node.call('CLUSTER', 'SET-CONFIG-EPOCH', n + 1);
    }
    for (const [n, { port }] of servers.entries()) {
      await nodes[0]?.call('CLUSTER', 'MEET', '127.0.0.1', port, busPorts[n] as number);
    }
    for (const node of nodes) {
      const isReady = async () => {
        const info = String(await node.call('CLUSTER', 'INFO'));
        return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${size}`);
      };
      while (!(await isReady())) await sleep(50);
      node.disconnect();
    }
    return new RedisCluster(servers);
  }

  async stop(): Promise<void> {
    for (const server of this.servers) await server.stop();
  }
}

/** The cluster clients of the two common packages, each connected as its documentation shows. */
export const redisClusterClients: Record<string, (cluster: RedisCluster) => Promise<RedisClient>> = {
  redis: async ({ servers }) => {
    const cluster = createCluster({ rootNodes: servers.map(({ url }) => ({ url })) });
    cluster.on('error', () => undefined);
    await cluster.connect();
    return {
      sendCommand: (key, command) => cluster.sendCommand(key, false, command),
      close: async () => cluster.destroy(),
    };
  },
  ioredis: async ({ servers }) => {
    const cluster = new IoRedisCluster(servers.map(({ port }) => ({ host: '127.0.0.1', port })));
    cluster.on('error', () => undefined);
    return {
      sendCommand: (_key, [name, ...rest]) => cluster.call(name as string, ...rest),
      close: async () => cluster.disconnect(),
    };
  },
};
