import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { repetitions } from '../../../test/support/long/repetitions.js';
import { describeWith } from '../../../test/support/programs.js';
import { missingPostgres, PostgresServer } from '../../../test/support/servers/postgres.js';
import { Unanswered } from '../support/long/serve/http-client.js';
import type { Instance } from '../support/long/serve/instance.js';
import { NO_LIMITS, Site } from '../support/long/serve/site.js';
import { newNonce, Tally, ValidationClient } from '../support/long/serve/validation-client.js';

const STOPS = repetitions(20, 3);
const CLIENTS = 32;
/** Answers between a start and a stop. */
const ENOUGH = 300;
/** A second for idle connections and ten for answers that are slow, and some for a busy machine. */
const STOPPED_MS = 14_000;

/**
 * What nobody has taken: the connection was refused, or it is an old one that the service closed before the request
 * came, which shows only when it is used again. All else that has no answer is lost.
 */
function isUntaken({ code, isReused, hasBegun }: Unanswered): boolean {
  return code === 'ECONNREFUSED' || (isReused && !hasBegun && /^(ECONNRESET|EPIPE)$/.test(code));
}

describeWith('SIGTERM to one of two services, under load,', missingPostgres, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  });
  afterAll(() => server?.stop());

  it(`loses no request, and ends it with exit code 0: ${STOPS} times`, async () => {
    const site = await Site.open(await server.newSchema(), { keys: CLIENTS });
    const services: [Instance, Instance] = [await site.start(NO_LIMITS), await site.start(NO_LIMITS)];
    const clients = [true, false].map(
      (keepAlive) => new ValidationClient(site, { sockets: CLIENTS, keepAlive }),
    );
    const [lost, answers, untaken] = [new Tally(), new Tally(), new Tally()];
    let isOver = false;

    /** Asks the one and the other in turn, with a fresh OTP each time. */
    async function useUp(yubikey: Site['yubikeys'][number], at: number): Promise<void> {
      const client = clients[at % 4 === 0 ? 1 : 0] as ValidationClient;
      for (let turn = at; !isOver; turn++) {
        const otp = site.press(yubikey);
        const nonce = newNonce();
        for (let tries = 0; ; tries++) {
          try {
            const verdict = await client.verify(services[(turn + tries) % 2] as Instance, otp, nonce);
            answers.add(verdict);
            // Where the first service had taken what it did not answer, the other one calls it a replay.
            if (verdict !== 'OK') lost.add(`${verdict} at try ${tries + 1}`);
            break;
          } catch (error) {
            site.tell(error);
            if (error instanceof Unanswered && isUntaken(error) && tries < 5) untaken.add(error.message);
            else {
              lost.add(String(error));
              break;
            }
          }
        }
      }
    }

    const load = site.yubikeys.map(useUp);
    const enough = async () => {
      for (const until = answers.all + ENOUGH; answers.all < until; ) await sleep(20);
    };
    const startedAt = performance.now();
    const stops: number[] = [];
    for (let round = 0; round < STOPS; round++) {
      await enough();
      const at = round % 2;
      const stopped = services[at] as Instance;
      site.tell(await stopped.metrics());
      const { code, milliseconds } = await stopped.stop();
      expect(code).toBe(0);
      stops.push(milliseconds);
      services[at] = await site.start(NO_LIMITS, Number(new URL(stopped.url).port));
    }
    await enough();
    isOver = true;
    await Promise.all(load);
    const seconds = (performance.now() - startedAt) / 1000;
    for (const client of clients) client.close();
    console.log(
      `${STOPS} stops in ${seconds.toFixed(0)} s, the longest took ${(Math.max(...stops) / 1000).toFixed(1)} s; ` +
        `answers: ${answers}; sent elsewhere, as nobody had taken it: ${untaken}; lost: ${lost}`,
    );
    expect(lost.counts).toEqual({});
    expect(Math.max(...stops)).toBeLessThan(STOPPED_MS);
    for (const service of services) expect((await service.stop()).code).toBe(0);
    // Nothing was judged whose answer did not arrive.
    expect(await site.logged('validation')).toEqual({ OK: answers.of('OK') });
    await site.expectNoLeaks();
  });
});
