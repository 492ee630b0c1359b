import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { YubikeyError } from '../../../src/errors.js';
import { type Advance, RedisStore } from '../../../src/stores/index.js';
import { collectGarbage } from '../../support/long/collect-garbage.js';
import { repetitions } from '../../support/long/repetitions.js';
import { describeWith } from '../../support/programs.js';
import { LossyProxy } from '../../support/servers/lossy-proxy.js';
import { RedisServer } from '../../support/servers/redis.js';
import { connectIoredis, impatientClients, type RedisClient } from '../../support/stores/redis-clients.js';

const TIMEOUT = 1_000;
/** Tolerance for a late event loop. */
const LATE = 1_500;

type Outcome = Advance | string;
const settleAdvance = (call: Promise<Advance>): Promise<Outcome> =>
  call.catch((error: unknown) => (error instanceof YubikeyError ? error.code : String(error)));
const isOk = (outcome: Outcome) => typeof outcome === 'object' && outcome.advanced;

interface Faulty {
  server: RedisServer;
  proxy: LossyProxy;
}

const faults: Record<string, { begin(on: Faulty): unknown; end(on: Faulty): unknown }> = {
  'is stopped': {
    begin: ({ server }) => server.kill('SIGSTOP'),
    end: ({ server }) => server.kill('SIGCONT'),
  },
  'is killed': { begin: ({ server }) => server.halt('SIGKILL'), end: ({ server }) => server.run() },
  'is silent': { begin: ({ proxy }) => proxy.silence(), end: ({ proxy }) => proxy.listen() },
  'is cut off, and comes back at once': {
    begin: ({ proxy }) => proxy.cut(),
    end: ({ proxy }) => proxy.cut(),
  },
};

const clients: Record<string, (url: string) => Promise<RedisClient>> = {
  redis: (url) => impatientClients.redis?.(url, 2 * TIMEOUT) as Promise<RedisClient>,
  ioredis: (url) => impatientClients.ioredis?.(url, 2 * TIMEOUT) as Promise<RedisClient>,
  'ioredis with its defaults': (url) => connectIoredis(url, { socketTimeout: 2 * TIMEOUT }),
};

describeWith('RedisStore under load', ['redis-server'], () => {
  describe.each(Object.entries(clients))('through %s', (_, connect) => {
    it.each(Object.entries(faults))(
      'while Redis %s: rejects by the deadline, accepts no OTP twice, keeps memory and timers flat',
      async (name, { begin, end }) => {
        const server = await RedisServer.start();
        const proxy = await LossyProxy.start(server.port);
        const client = await connect(`redis://127.0.0.1:${proxy.port}`);
        onTestFinished(async () => {
          await client.close();
          await proxy.stop();
          await server.stop();
        });
        const store = new RedisStore({ sendCommand: client.sendCommand, timeout: TIMEOUT });
        await store.migrate();

        const tally: Record<string, number> = {};
        const calls: { id: string; usageCounter: number; first: Outcome }[] = [];
        let longest = 0;
        async function load(forMs: number): Promise<void> {
          const until = performance.now() + forMs;
          const turns: Promise<void>[] = [];
          for (let n = calls.length; performance.now() < until; n++) {
            const since = performance.now();
            const [id, usageCounter] = [`key ${n % 50}`, 1 + n];
            const call = store.counters.advance(id, { usageCounter, sessionUse: 0, timestamp: 0 });
            turns.push(
              settleAdvance(call).then((first) => {
                longest = Math.max(longest, performance.now() - since);
                const said = typeof first === 'string' ? first : first.advanced ? 'OK' : first.reason;
                tally[said] = (tally[said] ?? 0) + 1;
                calls.push({ id, usageCounter, first });
              }),
            );
            await sleep(2);
          }
          await Promise.all(turns);
        }

        await load(TIMEOUT);
        await begin({ server, proxy });
        await load(TIMEOUT);
        collectGarbage();
        const before = process.memoryUsage().heapUsed;
        await load(repetitions(20, 4) * TIMEOUT);
        collectGarbage();
        const grown = process.memoryUsage().heapUsed - before;
        const timers = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
        await end({ server, proxy });
        await expect
          .poll(() => store.probe().catch(String), { timeout: 30_000, interval: 100 })
          .toBeUndefined();

        const again = await Promise.all(
          calls.map(({ id, usageCounter }) =>
            settleAdvance(store.counters.advance(id, { usageCounter, sessionUse: 0, timestamp: 0 })),
          ),
        );
        const twice = calls.filter(({ first }, n) => isOk(first) && isOk(again[n] as Outcome));
        console.log(name, tally, `longest ${Math.round(longest)} ms, heap +${Math.round(grown / 1024)} KB`, {
          timers,
        });
        expect(twice).toEqual([]);
        expect(longest).toBeLessThan(TIMEOUT + LATE);
        expect(['OK', 'ANSWER_LOST', 'STORE_FAILED']).toEqual(expect.arrayContaining(Object.keys(tally)));
        expect(timers).toBeLessThan(50);
        expect(grown).toBeLessThan(10 * 1024 * 1024);
      },
    );
  });
});
