import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { YubikeyError } from '../../../src/errors.js';
import { PostgresStore } from '../../../src/stores/index.js';
import { describeWith } from '../../support/programs.js';
import { LossyProxy } from '../../support/servers/lossy-proxy.js';
import { missingPostgres, PostgresServer } from '../../support/servers/postgres.js';

const TIMEOUT = 2_000;
const counters = (usageCounter: number) => ({ usageCounter, sessionUse: 0, timestamp: 0 });
const advanced = expect.objectContaining({ advanced: true });

/** The outcome of a call, and how many milliseconds it took. */
async function timeOutcome(call: Promise<unknown>): Promise<{ outcome: unknown; ms: number }> {
  const since = performance.now();
  const outcome = await call.catch((error) => (error instanceof YubikeyError ? error.code : error));
  return { outcome, ms: performance.now() - since };
}

describeWith('PostgresStore over connections that do not answer', missingPostgres, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 60_000);
  afterAll(() => server?.stop(), 30_000);

  async function open(options: pg.PoolConfig = {}) {
    const proxy = await LossyProxy.start(server.port);
    const url = new URL(await server.newSchema());
    const direct = server.pool({ connectionString: url.href, max: 2 });
    url.port = String(proxy.port);
    const pool = server.pool({
      connectionString: url.href,
      connectionTimeoutMillis: TIMEOUT,
      ...options,
    });
    const store = new PostgresStore({ pool, timeout: TIMEOUT });
    onTestFinished(async () => {
      await proxy.stop();
      await Promise.all([pool.end(), direct.end()]);
    });
    await store.migrate();
    return { proxy, direct, pool, store };
  }

  /** Opens this many connections of the pool, which are then idle. */
  const use = (store: PostgresStore, count: number) =>
    Promise.all(Array.from({ length: count }, () => store.keys.list()));

  /** Resolves once nothing waits for the silent connections any more. */
  const answersAgain = (store: PostgresStore) =>
    expect
      .poll(() => timeOutcome(store.probe()), { timeout: 10 * TIMEOUT })
      .toMatchObject({ outcome: undefined });

  /** The number of statements that wait for a lock. */
  const countStuck = async (pool: pg.Pool | pg.PoolClient) =>
    (await pool.query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")).rows.length;

  it('goes on with other keys while two are silent, and with their keys once the two are given up', async () => {
    const { proxy, pool, store } = await open();
    await use(store, 2);
    proxy.silence(2);
    const turns: Promise<{ outcome: unknown; ms: number }[]>[] = [];
    for (let n = 0; n < 100; n++) {
      const keys = [1, 2, 3, 4].map((key) => `key ${key} of turn ${n}`);
      turns.push(Promise.all(keys.map((key) => timeOutcome(store.counters.advance(key, counters(1))))));
      await sleep(10);
    }
    const outcomes = (await Promise.all(turns)).flat();
    const lost = outcomes.filter(({ outcome }) => outcome === 'ANSWER_LOST');
    expect(lost.length, 'the calls sent over the two').toBeGreaterThan(0);
    expect(lost.length).toBeLessThan(outcomes.length / 4);
    const others = outcomes.filter((it) => !lost.includes(it));
    expect(others.map(({ outcome }) => outcome)).toEqual(others.map(() => advanced));
    for (const { ms } of others) expect(ms).toBeLessThan(TIMEOUT);
    expect(pool.totalCount).toBeLessThanOrEqual(10);
  });

  it('rejects every call by the deadline while all are silent, and goes on once new ones answer', async () => {
    const { proxy, pool, store } = await open({ max: 3 });
    await use(store, 3);
    proxy.silence();
    const calls = await Promise.all([
      ...Array.from({ length: 300 }, (_, n) => timeOutcome(store.counters.advance(`key ${n}`, counters(1)))),
      timeOutcome(store.keys.get('cccccccccccb')),
      timeOutcome(store.keys.list()),
      timeOutcome(store.counters.get('cccccccccccb')),
      timeOutcome(store.probe()),
      timeOutcome(store.migrate()),
    ]);
    for (const { outcome, ms } of calls) {
      expect(['ANSWER_LOST', 'STORE_FAILED']).toContain(outcome);
      expect(ms).toBeLessThan(2 * TIMEOUT);
    }
    proxy.listen();
    await answersAgain(store);
    const again = await Promise.all(
      Array.from({ length: 300 }, (_, n) => store.counters.advance(`key ${n}`, counters(1))),
    );
    expect(again).toEqual(Array(300).fill(advanced));
    expect(pool.totalCount).toBeLessThanOrEqual(3);
  });

  it('goes on with other keys over a third connection while two attempts to connect are not answered', async () => {
    const { proxy, pool, store } = await open();
    const taken = await pool.connect();
    proxy.silence();
    const first = timeOutcome(store.counters.advance('key 1', counters(1)));
    await sleep(10);
    const second = timeOutcome(store.counters.advance('key 2', counters(1)));
    await sleep(10);
    proxy.listen();
    const others = [3, 4, 5].map((n) => timeOutcome(store.counters.advance(`key ${n}`, counters(1))));
    for (const { outcome, ms } of await Promise.all(others)) {
      expect(outcome).toEqual(advanced);
      expect(ms).toBeLessThan(TIMEOUT / 2);
    }
    for (const { outcome } of await Promise.all([first, second])) {
      expect(outcome === 'STORE_FAILED' || (outcome as { advanced?: boolean | undefined }).advanced).toBe(
        true,
      );
    }
    taken.release();
  });

  it('goes on after unanswered attempts to connect, with a pool that would wait for them for ever', async () => {
    const { proxy, pool, store } = await open({ max: 1, connectionTimeoutMillis: undefined });
    proxy.silence();
    for (const outcomes of ['ANSWER_LOST', 'STORE_FAILED']) {
      const { outcome } = await timeOutcome(store.counters.advance('key', counters(1)));
      expect(outcome).toBe(outcomes);
    }
    proxy.listen();
    await answersAgain(store);
    expect(await store.counters.advance('other', counters(1))).toEqual(advanced);
    expect(pool.waitingCount).toBe(0);
  });

  it('releases connections that come too late, however many calls waited for one', async () => {
    const { pool, store } = await open({ max: 1, connectionTimeoutMillis: 60_000 });
    const taken = await pool.connect();
    await Promise.all(Array.from({ length: 9_000 }, () => timeOutcome(store.keys.list())));
    expect(() => taken.release()).not.toThrow();
    let usageCounter = 0;
    const advanceNewer = () => timeOutcome(store.counters.advance('key', counters(++usageCounter)));
    await expect.poll(advanceNewer, { timeout: 20_000 }).toMatchObject({ outcome: advanced });
    expect(pool.waitingCount).toBe(0);
    expect(pool.totalCount).toBe(1);
  });

  it('keeps the connectionTimeoutMillis that a pool already has', async () => {
    const { pool } = await open({ connectionTimeoutMillis: 10 * TIMEOUT });
    expect(pool.options.connectionTimeoutMillis).toBe(10 * TIMEOUT);
  });

  it('accepts an OTP at most once if the answer to its write is lost', async () => {
    const { proxy, direct, store } = await open();
    const rival = await direct.connect();
    await store.counters.advance('key', counters(1));
    await rival.query("BEGIN; SELECT 1 FROM yubikey_counters WHERE id = 'key' FOR UPDATE");
    const nonce = 'n'.repeat(16);
    const call = timeOutcome(store.counters.advance('key', counters(2), nonce));
    await expect.poll(() => countStuck(direct), { interval: 10, timeout: TIMEOUT }).toBe(1);
    proxy.silence();
    await rival.query('COMMIT');
    rival.release();
    expect((await call).outcome).toBe('ANSWER_LOST');
    proxy.listen();
    await answersAgain(store);
    expect(await store.counters.advance('key', counters(2), nonce)).toEqual({
      advanced: false,
      reason: 'REPLAYED_REQUEST',
    });
    expect(await store.counters.advance('key', counters(2))).toEqual({
      advanced: false,
      reason: 'REPLAYED_OTP',
    });
  });

  it('delays only the key of a row that stays locked, however often it is retried', async () => {
    const { direct, store, pool } = await open({ max: 4 });
    const rival = await direct.connect();
    await store.counters.advance('locked', counters(1));
    await rival.query("BEGIN; SELECT 1 FROM yubikey_counters WHERE id = 'locked' FOR UPDATE");
    const first = ['a', 'b', 'locked'].map((id) => timeOutcome(store.counters.advance(id, counters(2))));
    const [a, b, locked] = (await Promise.all(first)).map(({ outcome }) => outcome);
    expect([a, b]).toEqual([advanced, advanced]);
    expect(['STORE_FAILED', 'ANSWER_LOST']).toContain(locked);
    const stuck = Array.from({ length: 5 }, () => timeOutcome(store.counters.advance('locked', counters(3))));
    for (let n = 3; n < 30; n++) {
      const others = await Promise.all(
        ['a', 'b', 'c', 'd'].map((id) => timeOutcome(store.counters.advance(id, counters(n)))),
      );
      for (const { outcome, ms } of others) {
        expect(outcome).toEqual(advanced);
        expect(ms).toBeLessThan(TIMEOUT / 2);
      }
    }
    await rival.query('COMMIT');
    rival.release();
    const outcomes = (await Promise.all(stuck)).map(({ outcome }) => outcome);
    expect(
      outcomes.filter((outcome) => (outcome as { advanced?: boolean | undefined }).advanced).length,
    ).toBeLessThanOrEqual(1);
    expect(await countStuck(direct), 'no statement still waits at the server').toBe(0);
    expect(pool.totalCount).toBeLessThanOrEqual(4);
  });

  it('leaves no connections behind at the server that wait for a lock on the table', async () => {
    const { direct, store } = await open();
    const rival = await direct.connect();
    await rival.query('BEGIN; LOCK TABLE yubikey_counters, yubikey_keys');
    for (let turn = 0; turn < 2; turn++) {
      const calls = [1, 2, 3, 4].flatMap((n) => [
        timeOutcome(store.counters.advance(`key ${n} of turn ${turn}`, counters(1))),
        timeOutcome(store.keys.delete('cccccccccccb')),
      ]);
      for (const { outcome } of await Promise.all(calls)) expect(outcome).toBe('ANSWER_LOST');
    }
    await expect.poll(() => countStuck(rival), { timeout: 20_000 }).toBe(0);
    await rival.query('COMMIT');
    rival.release();
    expect(await store.counters.advance('key', counters(1))).toEqual(advanced);
  });

  it('never sends a call that waited for a connection in vain', async () => {
    const { pool, store } = await open({ max: 1 });
    const taken = await pool.connect();
    const [advance, add] = await Promise.all([
      timeOutcome(store.counters.advance('key', counters(1))),
      timeOutcome(store.keys.add({ publicId: 'cccccccccccb', aesKey: Buffer.alloc(16) })),
    ]);
    expect([advance.outcome, add.outcome]).toEqual(['STORE_FAILED', 'STORE_FAILED']);
    taken.release();
    expect(await store.counters.get('key')).toBeUndefined();
    expect(await store.keys.get('cccccccccccb')).toBeUndefined();
    expect(await store.counters.advance('key', counters(1))).toEqual(advanced);
  });

  describe('a replay whose nonce is read over a connection that does not answer', () => {
    const NONCE = 'n'.repeat(16);

    /** Silences all connections as soon as the write, which had to wait for a connection, is answered. */
    async function askForReplay(abort = new AbortController(), onSilent = () => {}) {
      const { proxy, pool, store } = await open({ max: 1 });
      await store.counters.advance('key', counters(1), NONCE);
      const taken = await pool.connect();
      const { signal } = abort;
      const call = timeOutcome(store.counters.advance('key', counters(1), NONCE, undefined, signal));
      await sleep(TIMEOUT / 2);
      pool.once('release', () =>
        pool.once('release', () => {
          proxy.silence();
          onSilent();
        }),
      );
      taken.release();
      return call;
    }

    it('rejects by the deadline of the whole call', async () => {
      const { outcome, ms } = await askForReplay();
      expect(outcome).toBe('STORE_FAILED');
      expect(ms).toBeLessThan(TIMEOUT * 1.4);
    });

    it('rejects at once on abort', async () => {
      const abort = new AbortController();
      const { outcome, ms } = await askForReplay(abort, () => setTimeout(() => abort.abort(), 50));
      expect(outcome).toBe('STORE_FAILED');
      expect(ms).toBeLessThan(TIMEOUT * 0.9);
    });
  });

  describe('a signal', () => {
    it('ends the wait for a locked row with ANSWER_LOST, and keeps the connection in use', async () => {
      const { direct, store, pool } = await open();
      await store.counters.advance('key', counters(1));
      const rival = await direct.connect();
      await rival.query("BEGIN; SELECT 1 FROM yubikey_counters WHERE id = 'key' FOR UPDATE");
      const signal = AbortSignal.timeout(100);
      const call = timeOutcome(store.counters.advance('key', counters(2), undefined, undefined, signal));
      expect((await call).outcome).toBe('ANSWER_LOST');
      expect((await call).ms).toBeLessThan(TIMEOUT / 2);
      await rival.query('COMMIT');
      rival.release();
      expect(await store.counters.advance('key', counters(2))).toMatchObject({ advanced: false });
      expect(pool.totalCount).toBe(1);
    });
  });
});
