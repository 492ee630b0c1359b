import { once } from 'node:events';
import { Redis as IoRedis, type RedisOptions } from 'ioredis';
import { createClient } from 'redis';
import type { SendCommand } from '../../../src/stores/index.js';

export interface RedisClient {
  sendCommand: SendCommand;
  close(): Promise<unknown>;
}

/** `ioredis`, which by default resends commands without an answer. */
export async function connectIoredis(url: string, options: RedisOptions = {}): Promise<RedisClient> {
  const client = new IoRedis(url, options);
  client.on('error', () => undefined);
  const sendCommand: SendCommand = (_key, [name, ...rest]) => client.call(name as string, ...rest);
  return { sendCommand, close: async () => client.disconnect() };
}

/** The two common clients, each connected as its documentation shows. */
export const redisClients: Record<string, (url: string) => Promise<RedisClient>> = {
  redis: async (url) => {
    const client = createClient({ url });
    client.on('error', () => undefined);
    await client.connect();
    return {
      sendCommand: (_key, command) => client.sendCommand(command),
      close: async () => client.destroy(),
    };
  },
  ioredis: (url) => connectIoredis(url, { maxRetriesPerRequest: 1 }),
};

/** Both clients with the recommended options: they give up unanswered commands and silent connections. */
export const impatientClients: Record<string, (url: string, socketTimeout: number) => Promise<RedisClient>> =
  {
    redis: async (url, socketTimeout) => {
      const reconnectStrategy = (tries: number) => Math.min(tries * 50, 2_000);
      const client = createClient({
        url,
        disableOfflineQueue: true,
        pingInterval: socketTimeout / 5,
        socket: { socketTimeout, reconnectStrategy },
      });
      client.on('error', () => undefined);
      await client.connect();
      return {
        sendCommand: (_key, command) => client.sendCommand(command),
        close: async () => client.destroy(),
      };
    },
    ioredis: async (url, socketTimeout) => {
      const options = { maxRetriesPerRequest: 0, enableOfflineQueue: false, socketTimeout };
      const client = new IoRedis(url, options);
      client.on('error', () => undefined);
      await once(client, 'ready');
      return {
        sendCommand: (_key, [name, ...rest]) => client.call(name as string, ...rest),
        close: async () => client.disconnect(),
      };
    },
  };
