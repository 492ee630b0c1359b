import type { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type PostgresClient, PostgresStore } from '../../../src/stores/index.js';
import { Child } from '../../support/long/child.js';
import { describeWith } from '../../support/programs.js';
import { missingPostgres, PostgresServer } from '../../support/servers/postgres.js';

const COUNTERS = { usageCounter: 1, sessionUse: 0, timestamp: 0 };
const NEVER = new Date(Number.NaN);
const ids = Array.from({ length: 64 }, (_, n) => `id ${n}`);
const POLL = { interval: 10, timeout: 20_000 };
const advanced = expect.objectContaining({ advanced: true });

describeWith('concurrent verifications with PostgreSQL', missingPostgres, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 60_000);
  afterAll(() => server?.stop(), 30_000);

  /** Resolves once a statement waits for a row that another transaction has locked. */
  const waitsForLock = (pool: Pool) =>
    expect
      .poll(async () => {
        const { rows } = await pool.query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
        return rows.length;
      }, POLL)
      .toBe(1);

  async function openStore() {
    const pool = server.pool({ connectionString: await server.newSchema() });
    onTestFinished(() => pool.end());
    const store = new PostgresStore({ pool });
    await store.migrate();
    return { store, pool };
  }

  it('share one statement', async () => {
    const { store, pool } = await openStore();
    const all = await Promise.all(ids.map((id) => store.counters.advance(id, COUNTERS)));
    expect(all).toEqual(ids.map(() => advanced));
    const { rows } = await pool.query('SELECT DISTINCT xmin FROM yubikey_counters');
    expect(rows).toHaveLength(1);
  });

  it('succeed, except for one whose time cannot be written', async () => {
    const { store } = await openStore();
    const at = (n: number) => (n === 20 ? NEVER : new Date());
    const outcomes = await Promise.allSettled(
      ids.map((id, n) => store.counters.advance(id, COUNTERS, undefined, at(n))),
    );
    expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([outcomes[20]]);
    expect(await store.counters.get('id 20')).toBeUndefined();
    for (const id of ids.filter((id) => id !== 'id 20')) {
      expect(await store.counters.get(id)).toMatchObject({ ...COUNTERS, acceptedCount: 1 });
    }
  });

  it('never deadlock in two processes and opposite orders, and each is accepted once', async () => {
    const url = await server.newDatabase();
    const children = [1, 2].map(() => new Child('advance-on-command', [url]));
    for (const child of children) expect(await child.nextLine()).toBe('ready');
    const many = Array.from({ length: 200 }, (_, n) => `id ${n}`);
    for (let usageCounter = 1; usageCounter <= 10; usageCounter++) {
      const at = Date.now() + 20;
      children[0]?.send({ ids: many, usageCounter, at });
      children[1]?.send({ ids: many.toReversed(), usageCounter, at });
      const [one, other] = await Promise.all(
        children.map(async (child) => JSON.parse(String(await child.nextLine())) as string[]),
      );
      const both = one?.map((outcome, n) => [outcome, other?.toReversed()[n]].sort());
      expect(both).toEqual(many.map(() => ['OK', 'REPLAYED']));
    }
    for (const child of children) child.process.stdin?.end();
    for (const child of children) expect(await child.end()).toBe(0);
    const pool = server.pool({ connectionString: url });
    onTestFinished(() => pool.end());
    const { rows } = await pool.query(
      'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
    );
    expect(rows).toEqual([{ deadlocks: '0' }]);
  });

  it('lock the rows in one order, whatever the order of the calls', async () => {
    const { store, pool } = await openStore();
    await Promise.all(['a', 'b'].map((id) => store.counters.advance(id, COUNTERS)));
    const rival = await pool.connect();
    await rival.query("BEGIN; UPDATE yubikey_counters SET nonce = 'x' WHERE id = 'a'");
    const next = { ...COUNTERS, usageCounter: 2 };
    const both = Promise.all(['b', 'a'].map((id) => store.counters.advance(id, next)));
    await waitsForLock(pool);
    const other = await pool
      .query("SELECT id FROM yubikey_counters WHERE id = 'b' FOR UPDATE NOWAIT")
      .catch(String);
    await rival.query('COMMIT');
    rival.release();
    expect(other).toMatchObject({ rows: [{ id: 'b' }] });
    expect(await both).toEqual([advanced, advanced]);
  });

  it('are retried after a deadlock with another transaction that locks their rows in another order', async () => {
    const { store, pool } = await openStore();
    await Promise.all(['a', 'b'].map((id) => store.counters.advance(id, COUNTERS)));
    const rival = await pool.connect();
    const touch = (id: string) => rival.query('UPDATE yubikey_counters SET nonce = $1 WHERE id = $1', [id]);
    await rival.query('BEGIN');
    await touch('b');
    const next = { ...COUNTERS, usageCounter: 2 };
    const both = Promise.all(['a', 'b'].map((id) => store.counters.advance(id, next)));
    await waitsForLock(pool);
    const outcome = await touch('a').then(
      () => 'COMMIT',
      () => 'ROLLBACK',
    );
    await rival.query(outcome);
    rival.release();
    expect(await both).toEqual([advanced, advanced]);
    expect(outcome).toBe('COMMIT');
  });
});

const BATCH = 'unnest';

/** A store whose connection answers every statement, but fails batches with the given faults. */
function storeOver(faults: unknown[]) {
  const batches: unknown[][] = [];
  const client: PostgresClient = {
    query: async (sql, values = []) => {
      if (!sql.includes(BATCH)) return { rows: [{ fsync: 'on', level: 'on', version: 1 }] };
      batches.push(values[0] as unknown[]);
      const fault = faults.shift();
      if (fault) throw fault;
      const row = { usage_counter: 1, session_use: 0, clock: 0, accepted_at: 0, accepted_count: 1 };
      return {
        rows: (values[0] as unknown[]).map((id) => ({ ...row, id, previous_accepted_at: null })),
      };
    },
    release: () => undefined,
  };
  const store = new PostgresStore({ pool: { connect: (callback) => callback(undefined, client) } });
  return { store, batches };
}

const failure = (code: string) => Object.assign(new Error(`failed with ${code}`), { code });

describe('a batch of PostgresStore', () => {
  async function advanceThree(faults: unknown[]) {
    const { store, batches } = storeOver(faults);
    await store.migrate();
    const outcomes = await Promise.allSettled(
      ['a', 'b', 'c'].map((id) => store.counters.advance(id, COUNTERS)),
    );
    return { batches, statuses: outcomes.map(({ status }) => status) };
  }

  it.each([
    ['deadlock', '40P01'],
    ['serialization failure', '40001'],
  ])('is retried as a whole after a %s', async (_, code) => {
    const { batches, statuses } = await advanceThree([failure(code), failure(code)]);
    expect(statuses).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    expect(batches).toEqual([1, 2, 3].map(() => ['a', 'b', 'c']));
  });

  it('is given up after five deadlocks', async () => {
    const { batches, statuses } = await advanceThree(Array.from({ length: 6 }, () => failure('40P01')));
    expect(statuses).toEqual(['rejected', 'rejected', 'rejected']);
    expect(batches).toHaveLength(5);
  });

  it.each([
    ['its connection breaks', new Error('Connection terminated unexpectedly')],
    ['the server shuts down', failure('57P01')],
    ['the disk is full', failure('53100')],
    ['it is unknown whether it was written', failure('40003')],
  ])('is rejected as a whole, and never sent again, when %s', async (_, fault) => {
    const { batches, statuses } = await advanceThree([fault]);
    expect(statuses).toEqual(['rejected', 'rejected', 'rejected']);
    expect(batches).toHaveLength(1);
  });
});
