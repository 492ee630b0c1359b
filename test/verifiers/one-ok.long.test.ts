import { expect, it } from 'vitest';
import { LocalKsm } from '../../src/ksm/local-ksm.js';
import { parseOtp } from '../../src/otp/otp.js';
import { SoftYubikey } from '../../src/testing/index.js';
import { KsmVerifier } from '../../src/verifiers/ksm-verifier.js';
import { openSharedStore } from '../support/fixtures/shared-store.js';
import { Child } from '../support/long/child.js';
import { repetitions } from '../support/long/repetitions.js';
import { describeSharedStores } from '../support/long/shared-stores.js';

const ROUNDS = repetitions(50, 5);
const PROCESSES = 4;
const TIMES = 64;
/** Other simultaneous writes in each process. */
const ADDING = 4;
/** Milliseconds for a command to reach every process before all begin. */
const HEAD_START = 20;

function tally(verdicts: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const verdict of verdicts) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return counts;
}

describeSharedStores('verifications of one OTP at once', (newUrl) => {
  it(`give exactly one OK: ${TIMES} in each of ${PROCESSES} processes, ${ROUNDS} times`, async () => {
    const url = await newUrl();
    const store = await openSharedStore(url);
    const yubikey = new SoftYubikey();
    await store.keys.add(yubikey);
    const children = Array.from({ length: PROCESSES }, () => new Child('verify-on-command', [url]));
    for (const child of children) expect(await child.nextLine()).toBe('ready');
    const winners = new Set<number>();
    for (let round = 1; round <= ROUNDS; round++) {
      const command = { otp: yubikey.press(), times: TIMES, adding: ADDING, at: Date.now() + HEAD_START };
      for (const child of children) child.send(command);
      const verdicts: string[][] = [];
      for (const child of children) verdicts.push(JSON.parse(String(await child.nextLine())));
      expect(tally(verdicts.flat()), `round ${round}`).toEqual({
        OK: 1,
        REPLAYED_OTP: PROCESSES * TIMES - 1,
        ADDED: PROCESSES * ADDING,
      });
      winners.add(verdicts.findIndex((of) => of.includes('OK')));
      expect(await store.counters.get(yubikey.publicId)).toMatchObject({ acceptedCount: round });
      const again = new KsmVerifier({ ksm: new LocalKsm(store.keys), counters: store.counters });
      expect(await again.verify(parseOtp(command.otp))).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
    }
    const { records } = await store.keys.list({ limit: 10_000 });
    expect(records).toHaveLength(1 + ROUNDS * PROCESSES * ADDING);
    console.log(`${ROUNDS} rounds, one OK in each; ${winners.size} of ${PROCESSES} processes won some`);
    for (const child of children) child.process.stdin?.end();
    for (const child of children) expect(await child.end()).toBe(0);
    await store.close();
  });
});
