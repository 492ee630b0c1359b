import { afterAll, beforeAll, describe } from 'vitest';
import { describeWith } from '../../test/programs.js';
import { missingPostgres, PostgresServer } from '../../test/servers/postgres.js';
import { RedisServer } from '../../test/servers/redis.js';
import { testFlows } from './flows.js';
import { openApp } from './support.js';

describeWith('past one machine', ['redis-server', ...missingPostgres], () => {
  let postgres: PostgresServer;
  let redis: RedisServer;

  beforeAll(async () => {
    [postgres, redis] = await Promise.all([PostgresServer.start(), RedisServer.start()]);
  });
  afterAll(() => Promise.all([postgres?.stop(), redis?.stop()]));

  const shared = async () => ({
    DATABASE_URL: await postgres.newDatabase(),
    SESSION_SECRET: 'shared by all instances, for this test',
  });

  describe('with PostgreSQL and Redis', () =>
    testFlows(async () => openApp({ ...(await shared()), REDIS_URL: redis.url })));

  describe('with PostgreSQL alone', () => testFlows(async () => openApp(await shared())));
});
