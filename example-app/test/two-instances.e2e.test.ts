import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeWith } from '../../test/support/programs.js';
import { missingPostgres } from '../../test/support/servers/postgres.js';
import { testFlows } from './support/flows.js';
import { Person } from './support/person.js';
import { startTwoInstances, type TwoInstances } from './support/two-instances.js';

describeWith('two instances that take turns', ['redis-server', ...missingPostgres], () => {
  describe('work like a single one', () => testFlows(startTwoInstances));

  describe('if one is killed', () => {
    let world: TwoInstances;

    beforeAll(async () => {
      world = await startTwoInstances();
    });
    afterAll(() => world?.close());

    test('sessions continue, and used OTPs and codes stay used', async () => {
      const { person, key } = await Person.signUpWithKey(world);
      const [code] = (await person.newCodes()) as [string];
      const halfway = await person.elsewhere();
      const recovering = await person.elsewhere();
      expect((await recovering.giveCode(code)).status).toBe(302);
      const otp = key.press();
      expect((await halfway.touch({ press: () => otp })).headers.location).toBe('/account');
      const second = await person.elsewhere();

      await world.killOne();

      expect(await person.redirectFrom('/account')).toBeUndefined();
      expect(await halfway.redirectFrom('/account')).toBeUndefined();
      expect(await recovering.redirectFrom('/account')).toBe('/account/keys');
      expect((await second.touch({ press: () => otp })).status).toBe(401);
      expect((await second.giveCode(code)).status).toBe(401);
      expect((await second.touch(key)).headers.location).toBe('/account');

      const spare = await world.newKey();
      expect((await second.addKey(spare)).status).toBe(302);
      expect(await person.redirectFrom('/account')).toBe('/login');
      await second.signInElsewhere(spare);
    });
  });
});
