import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { YubikeyError } from '../../../src/errors.js';
import { type Advance, PostgresStore } from '../../../src/stores/index.js';
import { repetitions } from '../../support/long/repetitions.js';
import { describeWith } from '../../support/programs.js';
import { LossyProxy } from '../../support/servers/lossy-proxy.js';
import { missingPostgres, PostgresServer } from '../../support/servers/postgres.js';

const TIMEOUT = 1_000;
/** Tolerance for a late event loop. */
const LATE = 1_500;

type Outcome = Advance | string;
const settleAdvance = (call: Promise<Advance>): Promise<Outcome> =>
  call.catch((error: unknown) => (error instanceof YubikeyError ? error.code : String(error)));
const isOk = (outcome: Outcome) => typeof outcome === 'object' && outcome.advanced;

describeWith('PostgresStore', missingPostgres, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 60_000);
  afterAll(() => server?.stop(), 30_000);

  async function open(options: { max?: number | undefined } = {}) {
    const proxy = await LossyProxy.start(server.port);
    const url = new URL(await server.newSchema());
    const direct = server.pool({ connectionString: url.href });
    url.port = String(proxy.port);
    const pool = server.pool({ connectionString: url.href, connectionTimeoutMillis: TIMEOUT, ...options });
    const store = new PostgresStore({ pool, timeout: TIMEOUT });
    await store.migrate();
    onTestFinished(async () => {
      await proxy.stop();
      await Promise.all([pool.end(), direct.end()]);
    });
    return { proxy, store, pool, direct };
  }

  it.each([1, 3])(
    'accepts no OTP twice, and refuses none that was not accepted, if the answer to %i at once is cut at any byte',
    async (count) => {
      const { proxy, store } = await open({ max: 1 });
      const ids = Array.from({ length: count }, (_, n) => `key ${n}`);
      let usageCounter = 0;
      const advance = (again = false) => {
        if (!again) usageCounter++;
        const counters = { usageCounter, sessionUse: 0, timestamp: 0 };
        return Promise.all(ids.map((id) => settleAdvance(store.counters.advance(id, counters))));
      };
      await advance();
      await advance();
      proxy.takePassed();
      expect((await advance()).every(isOk)).toBe(true);
      const length = proxy.takePassed();
      const tally: Record<string, number> = {};
      for (let bytes = 0; bytes <= length; bytes += repetitions(1, 9)) {
        await advance();
        proxy.cutAfter(bytes);
        const cut = await advance();
        const again = await advance(true);
        cut.forEach((first, n) => {
          const second = again[n] as Outcome;
          const said = isOk(first) ? 'OK' : String(first);
          expect(['OK', 'ANSWER_LOST'], `cut after ${bytes} bytes`).toContain(said);
          if (said === 'OK') expect(isOk(second)).toBe(false);
          const key = `${said}, then ${isOk(second) ? 'OK' : 'REPLAYED_OTP'}`;
          tally[key] = (tally[key] ?? 0) + 1;
        });
      }
      console.log(`${count} at once, ${length} bytes of answer: ${JSON.stringify(tally)}`);
    },
  );

  /** Advances new keys continuously, and returns the outcomes and the duration of the longest call. */
  async function load(store: PostgresStore, forMs: number, name: string) {
    const tally: Record<string, number> = {};
    const accepted: string[] = [];
    const turns: Promise<void>[] = [];
    let longest = 0;
    const end = performance.now() + forMs;
    for (let n = 0; performance.now() < end; n++) {
      const since = performance.now();
      const id = `${name} ${n % 50}`;
      const counters = { usageCounter: 1 + Math.floor(n / 50), sessionUse: 0, timestamp: 0 };
      turns.push(
        settleAdvance(store.counters.advance(id, counters)).then((outcome) => {
          longest = Math.max(longest, performance.now() - since);
          const said = isOk(outcome) ? 'OK' : typeof outcome === 'string' ? outcome : outcome.reason;
          tally[said] = (tally[said] ?? 0) + 1;
          if (said === 'OK') accepted.push(`${id}/${counters.usageCounter}`);
        }),
      );
      await sleep(2);
    }
    await Promise.all(turns);
    return { tally, accepted, longest };
  }

  async function expectNoneAcceptedAgain(store: PostgresStore, accepted: readonly string[]) {
    const again = await Promise.all(
      accepted.map((it) => {
        const [id, usageCounter] = it.split('/') as [string, string];
        return settleAdvance(
          store.counters.advance(id, { usageCounter: Number(usageCounter), sessionUse: 0, timestamp: 0 }),
        );
      }),
    );
    expect(again.filter(isOk)).toEqual([]);
  }

  it('goes on with other keys while one backend is stopped, and later with the keys of that backend too', async () => {
    const { store, direct, pool } = await open();
    await Promise.all([1, 2, 3, 4].map(() => store.keys.list()));
    const loading = load(store, 6 * TIMEOUT, 'stopped');
    await sleep(300);
    const { rows } = await direct.query(
      `SELECT pid FROM pg_stat_activity WHERE query LIKE 'INSERT INTO yubikey_counters%' ORDER BY state LIMIT 1`,
    );
    const pid = Number(rows[0].pid);
    process.kill(pid, 'SIGSTOP');
    const { tally, accepted, longest } = await loading;
    process.kill(pid, 'SIGCONT');
    console.log('one backend stopped', tally, `longest ${Math.round(longest)} ms`);
    expect(tally.OK).toBeGreaterThan(0.8 * Object.values(tally).reduce((sum, count) => sum + count));
    expect(longest).toBeLessThan(TIMEOUT + LATE);
    await expectNoneAcceptedAgain(store, accepted);
    expect(pool.totalCount).toBeLessThanOrEqual(10);
  });

  it.each(['SIGSTOP', 'SIGKILL'] as const)(
    'settles every call by the deadline after %s to the server, and recovers',
    async (signal) => {
      const { store, direct } = await open();
      const loading = load(store, 4 * TIMEOUT, signal);
      await sleep(300);
      const { rows } = await direct.query('SELECT pid FROM pg_stat_activity WHERE pid IS NOT NULL');
      const pids = rows.map(({ pid }) => Number(pid));
      const victims = signal === 'SIGSTOP' ? pids : pids.slice(-1);
      for (const pid of victims) process.kill(pid, signal);
      await sleep(2 * TIMEOUT);
      if (signal === 'SIGSTOP') for (const pid of victims) process.kill(pid, 'SIGCONT');
      const { tally, accepted, longest } = await loading;
      console.log(signal, tally, `longest ${Math.round(longest)} ms`);
      expect(
        Object.keys(tally).filter((said) => !['OK', 'ANSWER_LOST', 'STORE_FAILED'].includes(said)),
      ).toEqual([]);
      expect(longest).toBeLessThan(TIMEOUT + LATE);
      for (;;) {
        if (
          isOk(
            await settleAdvance(
              store.counters.advance(`after ${Math.random()}`, {
                usageCounter: 1,
                sessionUse: 0,
                timestamp: 0,
              }),
            ),
          )
        )
          break;
        await sleep(100);
      }
      await expectNoneAcceptedAgain(store, accepted);
    },
  );
});
