import { pino } from 'pino';
import supertest from 'supertest';
import { PostgresServer } from '../../../test/support/servers/postgres.js';
import { RedisServer } from '../../../test/support/servers/redis.js';
import { readConfig } from '../../src/config.js';
import { openServices } from '../../src/services.js';
import { newKey, type World } from './application.js';
import { Instance } from './instance.js';
import { startRoundRobin } from './round-robin.js';

export interface TwoInstances extends World {
  /** The URL of the proxy, which forwards to the instances in turn. */
  url: string;
  /** Kills one instance without warning; the other continues. */
  killOne(): Promise<void>;
  close(): Promise<void>;
}

/** Two processes of the app in demo mode, with one PostgreSQL and one Redis, behind a proxy that alternates. */
export async function startTwoInstances(): Promise<TwoInstances> {
  const [postgres, redis] = await Promise.all([PostgresServer.start(), RedisServer.start()]);
  const environment = {
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    SESSION_SECRET: 'shared by all instances, for this test',
  };
  const instances = await Promise.all([Instance.start(environment), Instance.start(environment)]);
  const proxy = await startRoundRobin(instances.map(({ port }) => port));
  const services = await openServices(readConfig(environment), { log: pino({ level: 'silent' }) });
  return {
    url: proxy.url,
    openBrowser: () => supertest.agent(proxy.url),
    newKey: () => newKey(services),
    killOne: () => instances[0].end('SIGKILL'),
    async close() {
      await services.close();
      await proxy.close();
      await Promise.all(instances.map((instance) => instance.end('SIGTERM')));
      await Promise.all([postgres.stop(), redis.stop()]);
    },
  };
}
