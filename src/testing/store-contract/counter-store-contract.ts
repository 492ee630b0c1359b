import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { type Counters, isNewer, isSameTouch } from '../../otp/counters.js';
import { encodeModhex } from '../../otp/modhex.js';
import type { Advance, CounterStore } from '../../stores/store.js';
import { assertEqual, assertMatch } from '../assertions.js';
import type { DefineTest } from '../test-runner.js';
import { assertPages } from './pages.js';
import { UNFIT_IDS } from './unfit-ids.js';

const ID = 'vvcbdefghijk';
const NONCE = 'a'.repeat(32);
const OTHER_NONCE = 'b'.repeat(32);
const touch = (usageCounter: number, sessionUse: number, timestamp = 0): Counters => ({
  usageCounter,
  sessionUse,
  timestamp,
});

type Accepted = Extract<Advance, { advanced: true }>;
type Refused = Extract<Advance, { advanced: false }>;

function assertAccepted(advance: Advance, message = 'is accepted'): asserts advance is Accepted {
  assert.equal(advance.advanced, true, message);
}

function assertRefused(advance: Advance, reason: Refused['reason'], message?: string): void {
  assertEqual(advance, { advanced: false, reason }, message);
}

export function describeCounterStore(it: DefineTest<CounterStore>): void {
  it('the first touch of a key is accepted, and has no previous counters', async (counters) => {
    assert.equal(await counters.get(ID), undefined);
    const before = Date.now();
    const advance = await counters.advance(ID, touch(5, 7, 99), NONCE);
    assertAccepted(advance);
    assert.equal(advance.previous, undefined);
    const { acceptedAt } = advance.current;
    assertEqual(advance.current, { ...touch(5, 7, 99), acceptedCount: 1, acceptedAt });
    assert.ok(acceptedAt instanceof Date, 'acceptedAt is a Date');
    assert.ok(acceptedAt.getTime() >= before && acceptedAt.getTime() <= Date.now(), 'acceptedAt is now');
    assertEqual(await counters.get(ID), advance.current);
  });

  for (const [what, values] of [
    ['all zero', touch(0, 0, 0)],
    ['the highest there are', touch(0x7fff, 0xff, 0xff_ffff)],
  ] as const) {
    it(`counters can be ${what}`, async (counters) => {
      const advance = await counters.advance(ID, values);
      assertAccepted(advance);
      assertMatch(advance.current, values);
      assertRefused(await counters.advance(ID, values), 'REPLAYED_OTP');
    });
  }

  for (const [what, next] of [
    ['a higher usage counter', touch(6, 0)],
    ['a higher session use', touch(5, 8)],
    ['a higher session use, although the clock went back', touch(5, 8, 0)],
  ] as const) {
    it(`${what} is accepted, and returns the previous counters`, async (counters) => {
      const first = await counters.advance(ID, touch(5, 7, 500));
      const second = await counters.advance(ID, next);
      assertAccepted(first);
      assertAccepted(second);
      assertEqual(second.previous, first.current);
      assertMatch(second.current, { ...next, acceptedCount: 2 });
      assertEqual(await counters.get(ID), second.current);
    });
  }

  for (const [what, replay] of [
    ['equal counters', touch(5, 7, 500)],
    ['equal counters and a later clock', touch(5, 7, 501)],
    ['a lower session use', touch(5, 6, 999)],
    ['a lower usage counter', touch(4, 255, 999)],
  ] as const) {
    it(`an advance with ${what} is REPLAYED_OTP, and changes nothing`, async (counters) => {
      await counters.advance(ID, touch(5, 7, 500), NONCE);
      const row = await counters.get(ID);
      for (const nonce of [OTHER_NONCE, undefined]) {
        assertRefused(await counters.advance(ID, replay, nonce), 'REPLAYED_OTP');
      }
      assertEqual(await counters.get(ID), row);
    });
  }

  it('equal counters with the nonce that was accepted are REPLAYED_REQUEST', async (counters) => {
    await counters.advance(ID, touch(5, 7), NONCE);
    assertRefused(await counters.advance(ID, touch(5, 7), NONCE), 'REPLAYED_REQUEST');
    assertRefused(await counters.advance(ID, touch(5, 7), NONCE), 'REPLAYED_REQUEST');
  });

  it('an equal nonce alone is no REPLAYED_REQUEST: other counters are judged as usual', async (counters) => {
    await counters.advance(ID, touch(5, 7), NONCE);
    assertRefused(await counters.advance(ID, touch(5, 6), NONCE), 'REPLAYED_OTP');
    assertRefused(await counters.advance(ID, touch(4, 7), NONCE), 'REPLAYED_OTP');
    assertAccepted(await counters.advance(ID, touch(5, 8), NONCE));
  });

  it('the nonce that counts is the last one that was accepted', async (counters) => {
    await counters.advance(ID, touch(5, 7), NONCE);
    await counters.advance(ID, touch(5, 7), OTHER_NONCE);
    assertRefused(await counters.advance(ID, touch(5, 7), OTHER_NONCE), 'REPLAYED_OTP');
    await counters.advance(ID, touch(5, 8), OTHER_NONCE);
    assertRefused(await counters.advance(ID, touch(5, 8), NONCE), 'REPLAYED_OTP');
    assertRefused(await counters.advance(ID, touch(5, 8), OTHER_NONCE), 'REPLAYED_REQUEST');
  });

  it('a call without a nonce is never REPLAYED_REQUEST, not even after one without', async (counters) => {
    await counters.advance(ID, touch(5, 7));
    assertRefused(await counters.advance(ID, touch(5, 7)), 'REPLAYED_OTP');
    assertRefused(await counters.advance(ID, touch(5, 7), NONCE), 'REPLAYED_OTP');
  });

  for (const unfit of UNFIT_IDS) {
    const what = JSON.stringify(unfit);
    it(`refuses ${what} for a public ID or a nonce, and nothing else that is sent with it`, async (counters) => {
      const [asId, asNonce, other] = await Promise.allSettled([
        counters.advance(unfit, touch(5, 7)),
        counters.advance(ID, touch(5, 7), unfit),
        counters.advance('cc', touch(5, 7)),
      ]);
      assert.equal(other.status, 'fulfilled');
      for (const refused of [asId, asNonce]) {
        assert.equal(refused.status, 'rejected');
        assert.ok(refused.reason instanceof TypeError, `a TypeError, not ${refused.reason}`);
      }
      assert.equal(await counters.get(ID), undefined);
      assertAccepted(await counters.advance(ID, touch(5, 7)));
    });
  }

  for (const [what, wrong] of [
    ['the caps-lock bit in the usage counter', touch(0x8001, 0)],
    ['a negative usage counter', touch(-1, 0)],
    ['a usage counter that is not a number', touch(Number.NaN, 0)],
    ['a fraction', touch(1.5, 0)],
    ['infinity', touch(Number.POSITIVE_INFINITY, 0)],
    ['a session use over a byte', touch(9, 256)],
    ['a negative session use', touch(9, -1)],
    ['a clock over 24 bits', touch(9, 0, 0x100_0000)],
    ['a clock that is not a number', touch(9, 0, Number.NaN)],
    ['text', touch('9' as unknown as number, 0)],
    ['nothing', touch(undefined as unknown as number, 0)],
  ] as const) {
    it(`refuses ${what} with a RangeError, and does not change the row`, async (counters) => {
      await assert.rejects(counters.advance(ID, wrong), RangeError);
      assert.equal(await counters.get(ID), undefined);
      await counters.advance(ID, touch(5, 7, 500), NONCE);
      const row = await counters.get(ID);
      await assert.rejects(counters.advance(ID, wrong, NONCE), RangeError);
      assertEqual(await counters.get(ID), row);
    });
  }

  it('the empty public ID has its own counters', async (counters) => {
    await counters.advance('', touch(5, 7), NONCE);
    assertAccepted(await counters.advance('c', touch(1, 0), NONCE));
    assertRefused(await counters.advance('', touch(5, 7), NONCE), 'REPLAYED_REQUEST');
    assertMatch(await counters.get(''), touch(5, 7));
  });

  it('an id with a colon, as a KSM uses it for keys that are not pinned, has its own counters', async (counters) => {
    const unpinned = `unpinned:${ID}:0011223344556677`;
    assertAccepted(await counters.advance(unpinned, touch(9, 0)));
    assertAccepted(await counters.advance(ID, touch(5, 7)));
    assertRefused(await counters.advance(unpinned, touch(9, 0)), 'REPLAYED_OTP');
    assertMatch(await counters.get(unpinned), touch(9, 0));
  });

  it('any series of touches is judged as the specification says', async (counters) => {
    const series = Array.from({ length: 40 }, (_, n) => ({
      publicId: encodeModhex(Uint8Array.of(n)),
      steps: Array.from({ length: 12 }, randomStep),
    }));
    await Promise.all(series.map(({ publicId, steps }) => assertJudged(counters, publicId, steps)));
  });
}

interface Step {
  readonly touch: Counters;
  readonly nonce: string | undefined;
}

function randomStep(): Step {
  return {
    touch: touch(randomInt(4), randomInt(4), randomInt(2 ** 24)),
    nonce: [undefined, NONCE, OTHER_NONCE][randomInt(3)],
  };
}

async function assertJudged(counters: CounterStore, publicId: string, steps: readonly Step[]): Promise<void> {
  let last: Step | undefined;
  let acceptedCount = 0;
  for (const [index, step] of steps.entries()) {
    const after = `after ${JSON.stringify(steps.slice(0, index + 1))}`;
    const advance = await counters.advance(publicId, step.touch, step.nonce);
    if (!last || isNewer(step.touch, last.touch)) {
      assertAccepted(advance, after);
      assertMatch(advance.current, { ...step.touch, acceptedCount: acceptedCount + 1 }, after);
      if (last) assertMatch(advance.previous, { ...last.touch, acceptedCount }, after);
      else assert.equal(advance.previous, undefined, after);
      last = step;
      acceptedCount++;
    } else {
      const isRepeated =
        isSameTouch(step.touch, last.touch) && step.nonce === last.nonce && step.nonce !== undefined;
      assertRefused(advance, isRepeated ? 'REPLAYED_REQUEST' : 'REPLAYED_OTP', after);
    }
  }
  assertMatch(await counters.get(publicId), { ...last?.touch, acceptedCount });
}

/** Tests for export and import. */
export function describeCounterTransfer(it: DefineTest<CounterStore>): void {
  const values = touch(3, 1, 77);

  it('list returns all counters in pages, in the order of their public IDs, with their nonces', async (counters) => {
    const ids = ['vv', '', 'cc', 'dd', `unpinned:${ID}`];
    for (const publicId of ids)
      await counters.advance(publicId, values, publicId === 'dd' ? undefined : NONCE);
    await assertPages(
      (options) => counters.list(options),
      ({ publicId }) => publicId,
      ids,
    );
    for (const listed of (await counters.list()).records) {
      const { publicId } = listed;
      const nonce = publicId === 'dd' ? undefined : NONCE;
      assertEqual(listed, { publicId, nonce, ...(await counters.get(publicId)) });
    }
  });

  it('counters of another server keep the time when they were accepted', async (counters) => {
    const acceptedAt = new Date('2020-01-02T03:04:05Z');
    const advance = await counters.advance('vv', values, undefined, acceptedAt);
    assertAccepted(advance);
    assertMatch(advance.current, { acceptedAt });
    assertMatch(await counters.get('vv'), { acceptedAt });
  });
}
