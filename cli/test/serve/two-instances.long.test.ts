import { afterAll, beforeAll, expect, it } from 'vitest';
import { repetitions } from '../../../test/support/long/repetitions.js';
import { describeWith } from '../../../test/support/programs.js';
import { missingPostgres, PostgresServer } from '../../../test/support/servers/postgres.js';
import { RedisServer } from '../../../test/support/servers/redis.js';
import { NO_LIMITS, Site } from '../support/long/serve/site.js';
import { newNonce, Tally, ValidationClient } from '../support/long/serve/validation-client.js';

const VERIFICATIONS = repetitions(100_000, 4_000);
const KEYS = 32;

/** Sends every OTP to two services over one database at the same moment. */
async function race(db: string): Promise<void> {
  const site = await Site.open(db, { keys: KEYS });
  const services = [await site.start(NO_LIMITS), await site.start(NO_LIMITS)] as const;
  const client = new ValidationClient(site, { sockets: KEYS });
  const verdicts = new Tally();
  const wrong: string[] = [];
  const wins = [0, 0];
  let left = VERIFICATIONS;
  const startedAt = performance.now();

  async function useUp(yubikey: Site['yubikeys'][number]): Promise<void> {
    while (left > 0) {
      left -= 2;
      const isFirst = left % 4 === 0;
      // An attacker sends the OTP under another nonce, a client that lost patience the same request once more.
      const isSameRequest = left % 8 < 4;
      const otp = site.press(yubikey);
      const nonce = newNonce();
      const ask = (at: 0 | 1, isAgain: boolean) =>
        client.verify(services[at], otp, isAgain && !isSameRequest ? newNonce() : nonce);
      const [one, other] = isFirst
        ? await Promise.all([ask(0, false), ask(1, true)])
        : (await Promise.all([ask(1, false), ask(0, true)])).reverse();
      for (const verdict of [one, other]) verdicts.add(verdict as string);
      if (one === 'OK') wins[0] = (wins[0] as number) + 1;
      if (other === 'OK') wins[1] = (wins[1] as number) + 1;
      const expected = ['OK', isSameRequest ? 'REPLAYED_REQUEST' : 'REPLAYED_OTP'];
      if (`${[one, other].sort()}` !== `${expected}`) wrong.push(`${one} and ${other}, not ${expected}`);
    }
  }

  await Promise.all(site.yubikeys.map(useUp));
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(
    `${verdicts.all} verifications in ${seconds.toFixed(0)} s, ${Math.round(verdicts.all / seconds)} a second: ` +
      `${verdicts}; the services accepted ${wins.join(' and ')}; ${wrong.length} pairs wrong`,
  );
  expect(wrong).toEqual([]);
  expect(verdicts.of('OK')).toBe(VERIFICATIONS / 2);
  expect(Math.min(...wins)).toBeGreaterThan(0);

  client.close();
  for (const service of services) {
    site.tell(await service.metrics());
    expect((await service.stop()).code).toBe(0);
  }
  expect(await site.logged('validation')).toEqual(verdicts.counts);
  await site.expectNoLeaks();
}

describeWith('two services over one PostgreSQL', missingPostgres, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server?.stop());

  it(`accept each OTP once, sent to both at once: ${VERIFICATIONS} verifications`, async () =>
    race(await server.newSchema()));
});

describeWith('two services over one Redis', ['redis-server'], () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server?.stop());

  it(`accept each OTP once, sent to both at once: ${VERIFICATIONS} verifications`, () => race(server.url));
});
