import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { LocalKsm } from '../../../src/ksm/local-ksm.js';
import { parseOtp } from '../../../src/otp/otp.js';
import { SqliteStore } from '../../../src/stores/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';
import { KsmVerifier } from '../../../src/verifiers/ksm-verifier.js';
import {
  drivers,
  migratedStoreFor,
  type OpenDatabase,
  openFor,
  type SqliteWay,
  storeFor,
  temporaryFile,
  ways,
} from '../../support/stores/sqlite-drivers.js';

const COUNTERS = { usageCounter: 1, sessionUse: 0, timestamp: 0 };

async function storeWithRival(way: SqliteWay): Promise<{ store: SqliteStore; rival: OpenDatabase }> {
  const path = temporaryFile();
  const store = await migratedStoreFor(way, path);
  return { store, rival: openFor(way.driver, path) };
}

/** Measures the longest time that the event loop was blocked. */
function watchEventLoop(): () => number {
  let worst = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    worst = Math.max(worst, now - last);
    last = now;
  }, 5);
  return () => {
    clearInterval(timer);
    return Math.max(worst, performance.now() - last);
  };
}

describe.each(ways)('a lock that another handle holds, with $name,', (way) => {
  it('is waited for, after which the write succeeds', async () => {
    const { store, rival } = await storeWithRival(way);
    rival.exec('BEGIN IMMEDIATE');
    let isDone = false;
    const advance = store.counters.advance('c', COUNTERS).finally(() => {
      isDone = true;
    });
    await sleep(150);
    expect(isDone).toBe(false);
    rival.exec('COMMIT');
    expect(await advance).toMatchObject({ advanced: true });
    expect(await store.counters.advance('c', COUNTERS)).toMatchObject({ advanced: false });
  });

  it('does not block the event loop, however many verifications wait for it', async () => {
    const { store, rival } = await storeWithRival(way);
    const gaps: number[] = [];
    // A busy machine delays the event loop now and then; a store that blocks would delay it every time.
    for (let usageCounter = 1; usageCounter <= 5 && !(Math.min(...gaps) < 400); usageCounter++) {
      rival.exec('BEGIN IMMEDIATE');
      const worstGap = watchEventLoop();
      const counters = { ...COUNTERS, usageCounter };
      const waiting = [...'cbdefghijklnrtuv'].flatMap((id) => [
        store.counters.advance(id, counters),
        store.counters.advance(id, counters),
      ]);
      await sleep(300);
      gaps.push(worstGap());
      rival.exec('COMMIT');
      const results = await Promise.all(waiting);
      expect(results.filter(({ advanced }) => advanced)).toHaveLength(16);
    }
    expect(Math.min(...gaps)).toBeLessThan(400);
  });

  it('does not block reads', async () => {
    const { store, rival } = await storeWithRival(way);
    await store.counters.advance('c', COUNTERS);
    rival.exec('BEGIN IMMEDIATE');
    expect(await store.counters.get('c')).toMatchObject(COUNTERS);
    rival.exec('COMMIT');
  });

  it('is waited for by migrate()', async () => {
    const path = temporaryFile();
    const rival = openFor(way.driver, path);
    await new SqliteStore({ database: rival }).migrate();
    rival.exec('BEGIN IMMEDIATE');
    const migration = storeFor(way, path).migrate();
    await sleep(50);
    rival.exec('COMMIT');
    await migration;
  });

  it('is given up by one call while others still wait, and the call that was given up is never written', async () => {
    const { store, rival } = await storeWithRival(way);
    rival.exec('BEGIN IMMEDIATE');
    const giveUp = new AbortController();
    const calls = ['c', 'b', 'd'].map((id) =>
      store.counters.advance(id, COUNTERS, undefined, undefined, id === 'b' ? giveUp.signal : undefined),
    );
    const givenUp = calls[1]?.catch((error) => error);
    await sleep(100);
    giveUp.abort();
    expect(await givenUp).toMatchObject({ code: 'STORE_FAILED' });
    rival.exec('COMMIT');
    expect(await calls[0]).toMatchObject({ advanced: true });
    expect(await calls[2]).toMatchObject({ advanced: true });
    expect(await store.counters.get('b')).toBeUndefined();
    expect(await store.counters.advance('b', COUNTERS)).toMatchObject({ advanced: true });
  });

  it('is no longer waited for once all callers have given up', async () => {
    const { store, rival } = await storeWithRival(way);
    rival.exec('BEGIN IMMEDIATE');
    const giveUp = new AbortController();
    const calls = ['c', 'b'].map((id) =>
      store.counters.advance(id, COUNTERS, undefined, undefined, giveUp.signal).catch(({ code }) => code),
    );
    await sleep(50);
    giveUp.abort();
    expect(await Promise.all(calls)).toEqual(['STORE_FAILED', 'STORE_FAILED']);
    await sleep(50);
    rival.exec('COMMIT');
    await sleep(50);
    expect((await store.counters.list()).records).toEqual([]);
    expect(await store.counters.advance('c', COUNTERS)).toMatchObject({ advanced: true });
  });

  it('is given up after five seconds with a fault, which uses up no OTP', async () => {
    const { store, rival } = await storeWithRival(way);
    const yubikey = new SoftYubikey();
    await store.keys.add(yubikey);
    const verifier = new KsmVerifier({ ksm: new LocalKsm(store.keys), counters: store.counters });
    const otp = parseOtp(yubikey.press());
    rival.exec('BEGIN IMMEDIATE');

    const verification = verifier.verify(otp).catch((error) => error);
    expect(await Promise.race([verification, sleep(4500, 'still waits')])).toBe('still waits');
    const error = await Promise.race([verification, sleep(10_000, 'still waits')]);

    expect(error).toMatchObject({ name: 'YubikeyError', code: 'STORE_FAILED', status: 503 });
    expect(String(error.cause)).toMatch(/locked/);
    rival.exec('ROLLBACK');
    expect(await verifier.verify(otp)).toMatchObject({ ok: true });
  });
});

describe.each(drivers)('a transaction of the application, with $name,', (driver) => {
  it('that begins while a write waits for a lock makes the write fail, not vanish', async () => {
    const path = temporaryFile();
    const database = openFor(driver, path);
    const rival = openFor(driver, path);
    const store = new SqliteStore({ database });
    await store.migrate();
    rival.exec('BEGIN IMMEDIATE');
    const waiting = store.counters.advance('cccccccccccc', COUNTERS).then(
      ({ advanced }) => advanced,
      () => false,
    );
    await sleep(30);
    database.exec('BEGIN');
    rival.exec('COMMIT');
    const first = await waiting;
    database.exec('ROLLBACK');
    const { advanced: second } = await store.counters.advance('cccccccccccc', COUNTERS);
    expect([first, second].filter(Boolean)).toHaveLength(1);
  });
});
