import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeWith } from '../../test/support/programs.js';
import { missingPostgres, PostgresServer } from '../../test/support/servers/postgres.js';
import { RedisServer } from '../../test/support/servers/redis.js';
import { openApp, submitPassword } from './support/application.js';
import { testFlows } from './support/flows.js';
import { Person } from './support/person.js';

describeWith('on more than one machine', ['redis-server', ...missingPostgres], () => {
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

  test('attempts at two instances are counted together', async () => {
    const environment = { ...(await shared()), REDIS_URL: redis.url };
    const instances = [await openApp(environment), await openApp(environment)] as const;
    const name = `somebody ${Date.now()}`;
    const statuses: number[] = [];
    for (let guess = 0; guess < 12; guess++) {
      const browser = instances[guess % 2 === 0 ? 0 : 1].openBrowser();
      statuses.push((await submitPassword(browser, name, `guess ${guess}`)).status);
    }
    expect(statuses).toEqual([...Array(10).fill(401), 429, 429]);
    await Promise.all(instances.map((instance) => instance.close()));
  });

  test('without Redis, sessions are in PostgreSQL, and end at once too', async () => {
    const environment = await shared();
    const [one, other] = [await openApp(environment), await openApp(environment)];
    const { person, key } = await Person.signUpWithKey(one);
    const elsewhere = await new Person(other, person.name, other.openBrowser()).signInElsewhere(key);
    await person.addKey(await one.newKey());
    expect(await elsewhere.redirectFrom('/account')).toBe('/login');
    await Promise.all([one.close(), other.close()]);
  });
});
