import { createClient } from 'redis';
import { ConfigError } from './config.js';

export type Redis = Awaited<ReturnType<typeof openRedis>>;

/** Fails at the start where there is no Redis; a connection that breaks later is made anew. */
export async function openRedis(url: string) {
  let isUp = false;
  const client = createClient({
    url,
    // Without Redis there are no sessions: better an error now than a page that waits.
    disableOfflineQueue: true,
    socket: { reconnectStrategy: (retries) => (isUp ? Math.min(retries * 100, 2_000) : false) },
  });
  client.on('error', (error) => {
    if (isUp) console.error('The connection to Redis broke:', error.message);
  });
  try {
    await client.connect();
  } catch (error) {
    throw new ConfigError([`REDIS_URL names no Redis that answers: ${(error as Error).message}`]);
  }
  isUp = true;
  return client;
}
