import { createClient } from 'redis';
import { ConfigError } from './config.js';

export type Redis = Awaited<ReturnType<typeof openRedis>>;

/** Fails if Redis cannot be reached at the start; a connection that is lost later is restored. */
export async function openRedis(url: string) {
  let isUp = false;
  const client = createClient({
    url,
    // Without Redis there are no sessions, so fail at once instead of letting a page wait.
    disableOfflineQueue: true,
    socket: { reconnectStrategy: (retries) => (isUp ? Math.min(retries * 100, 2_000) : false) },
  });
  client.on('error', (error) => {
    if (isUp) console.error('The connection to Redis was lost:', error.message);
  });
  try {
    await client.connect();
  } catch (error) {
    throw new ConfigError([`The Redis server at REDIS_URL cannot be used: ${(error as Error).message}`]);
  }
  isUp = true;
  return client;
}
