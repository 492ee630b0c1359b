import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Advance, CounterStore } from '../../../../src/stores/index.js';

const ID = 'vvcbdefghijk';
const NONCE = 'a'.repeat(32);
const OTHER_NONCE = 'b'.repeat(32);
const touch = (usageCounter: number, sessionUse: number, timestamp = 0) => ({
  usageCounter,
  sessionUse,
  timestamp,
});

let freshIds = 0;
/** A public ID that no earlier run of a property used. */
const freshId = () =>
  Array.from((++freshIds).toString(16), (digit) =>
    'cbdefghijklnrtuv'.charAt(Number.parseInt(digit, 16)),
  ).join('');

export function describeCounterStore(store: () => CounterStore): void {
  it('the first touch of a key is accepted, and has no previous counters', async () => {
    expect(await store().get(ID)).toBeUndefined();
    const before = Date.now();
    const advance = await store().advance(ID, touch(5, 7, 99), NONCE);
    if (!advance.advanced) throw new Error('was refused');
    expect(advance.previous).toBeUndefined();
    expect(advance.current).toEqual({
      ...touch(5, 7, 99),
      acceptedCount: 1,
      acceptedAt: advance.current.acceptedAt,
    });
    expect(advance.current.acceptedAt.getTime()).toBeGreaterThanOrEqual(before);
    expect(advance.current.acceptedAt.getTime()).toBeLessThanOrEqual(Date.now());
    expect(await store().get(ID)).toEqual(advance.current);
  });

  it.each([
    ['all zero', touch(0, 0, 0)],
    ['the highest there are', touch(0x7fff, 0xff, 0xff_ffff)],
  ])('counters can be %s', async (_, counters) => {
    expect(await store().advance(ID, counters)).toMatchObject({ advanced: true, current: counters });
    expect(await store().advance(ID, counters)).toEqual({ advanced: false, reason: 'REPLAYED_OTP' });
  });

  it.each([
    ['a higher usage counter', touch(6, 0)],
    ['a higher session use', touch(5, 8)],
    ['a higher session use, although the clock went back', touch(5, 8, 0)],
  ])('%s is accepted, and returns the previous counters', async (_, next) => {
    const first = await store().advance(ID, touch(5, 7, 500));
    const second = await store().advance(ID, next);
    if (!first.advanced || !second.advanced) throw new Error('was refused');
    expect(second.previous).toEqual(first.current);
    expect(second.current).toMatchObject({ ...next, acceptedCount: 2 });
    expect(await store().get(ID)).toEqual(second.current);
  });

  it.each([
    ['equal counters', touch(5, 7, 500)],
    ['equal counters and a later clock', touch(5, 7, 501)],
    ['a lower session use', touch(5, 6, 999)],
    ['a lower usage counter', touch(4, 255, 999)],
  ])('an advance with %s is REPLAYED_OTP, and changes nothing', async (_, replay) => {
    await store().advance(ID, touch(5, 7, 500), NONCE);
    const row = await store().get(ID);
    for (const nonce of [OTHER_NONCE, undefined]) {
      expect(await store().advance(ID, replay, nonce)).toEqual({ advanced: false, reason: 'REPLAYED_OTP' });
    }
    expect(await store().get(ID)).toEqual(row);
  });

  it('equal counters with the nonce that was accepted are REPLAYED_REQUEST', async () => {
    await store().advance(ID, touch(5, 7), NONCE);
    const again = { advanced: false, reason: 'REPLAYED_REQUEST' };
    expect(await store().advance(ID, touch(5, 7), NONCE)).toEqual(again);
    expect(await store().advance(ID, touch(5, 7), NONCE)).toEqual(again);
  });

  it('an equal nonce alone is no REPLAYED_REQUEST: other counters are judged as usual', async () => {
    await store().advance(ID, touch(5, 7), NONCE);
    const replayed = { advanced: false, reason: 'REPLAYED_OTP' };
    expect(await store().advance(ID, touch(5, 6), NONCE)).toEqual(replayed);
    expect(await store().advance(ID, touch(4, 7), NONCE)).toEqual(replayed);
    expect(await store().advance(ID, touch(5, 8), NONCE)).toMatchObject({ advanced: true });
  });

  it('the nonce that counts is the last one that was accepted', async () => {
    await store().advance(ID, touch(5, 7), NONCE);
    await store().advance(ID, touch(5, 7), OTHER_NONCE);
    expect(await store().advance(ID, touch(5, 7), OTHER_NONCE)).toMatchObject({ reason: 'REPLAYED_OTP' });
    await store().advance(ID, touch(5, 8), OTHER_NONCE);
    expect(await store().advance(ID, touch(5, 8), NONCE)).toMatchObject({ reason: 'REPLAYED_OTP' });
    expect(await store().advance(ID, touch(5, 8), OTHER_NONCE)).toMatchObject({ reason: 'REPLAYED_REQUEST' });
  });

  it('a call without a nonce is never REPLAYED_REQUEST, not even after one without', async () => {
    await store().advance(ID, touch(5, 7));
    expect(await store().advance(ID, touch(5, 7))).toEqual({ advanced: false, reason: 'REPLAYED_OTP' });
    expect(await store().advance(ID, touch(5, 7), NONCE)).toMatchObject({ reason: 'REPLAYED_OTP' });
  });

  it.each([[null], [true], [{ a: 1 }], [['c']], ['c\0'], ['c\ud800']])(
    'refuses %j for a public ID or a nonce, and nothing else that is sent with it',
    async (text) => {
      const unfit = text as string;
      const outcomes = await Promise.allSettled([
        store().advance(unfit, touch(5, 7)),
        store().advance(ID, touch(5, 7), unfit),
        store().advance(freshId(), touch(5, 7)),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
      for (const { reason } of outcomes.slice(0, 2) as PromiseRejectedResult[])
        expect(reason).toBeInstanceOf(TypeError);
      expect(await store().get(ID)).toBeUndefined();
      expect(await store().advance(ID, touch(5, 7))).toMatchObject({ advanced: true });
    },
  );

  it.each([
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
  ])('refuses %s with a RangeError, and does not change the row', async (_, counters) => {
    await expect(store().advance(ID, counters)).rejects.toThrow(RangeError);
    expect(await store().get(ID)).toBeUndefined();
    await store().advance(ID, touch(5, 7, 500), NONCE);
    const row = await store().get(ID);
    await expect(store().advance(ID, counters, NONCE)).rejects.toThrow(RangeError);
    expect(await store().get(ID)).toEqual(row);
  });

  it('the empty public ID has its own counters', async () => {
    await store().advance('', touch(5, 7), NONCE);
    expect(await store().advance('c', touch(1, 0), NONCE)).toMatchObject({ advanced: true });
    expect(await store().advance('', touch(5, 7), NONCE)).toMatchObject({ reason: 'REPLAYED_REQUEST' });
    expect(await store().get('')).toMatchObject(touch(5, 7));
  });

  it('any series of touches is judged as the specification says', async () => {
    const step = fc.record({
      counters: fc.record({
        usageCounter: fc.integer({ min: 0, max: 3 }),
        sessionUse: fc.integer({ min: 0, max: 3 }),
        timestamp: fc.integer({ min: 0, max: 0xff_ffff }),
      }),
      nonce: fc.constantFrom(undefined, NONCE, OTHER_NONCE),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const publicId = freshId();
        let last: (typeof steps)[number] | undefined;
        let accepted = 0;
        for (const { counters, nonce } of steps) {
          const advance: Advance = await store().advance(publicId, counters, nonce);
          const order = (of: typeof counters) => 4 * of.usageCounter + of.sessionUse;
          if (!last || order(counters) > order(last.counters)) {
            accepted++;
            expect(advance).toMatchObject({
              advanced: true,
              current: { ...counters, acceptedCount: accepted },
              previous: last && { ...last.counters, acceptedCount: accepted - 1 },
            });
            last = { counters, nonce };
          } else {
            const isSame =
              order(counters) === order(last.counters) && nonce === last.nonce && nonce !== undefined;
            expect(advance).toEqual({
              advanced: false,
              reason: isSame ? 'REPLAYED_REQUEST' : 'REPLAYED_OTP',
            });
          }
        }
        if (last) expect(await store().get(publicId)).toMatchObject(last.counters);
      }),
      { numRuns: 40 },
    );
  });
}

/** Tests for export and import. */
export function describeCounterTransfer(store: () => CounterStore): void {
  const counters = { usageCounter: 3, sessionUse: 1, timestamp: 77 };

  it('list returns all counters in pages, in the order of their public IDs, with their nonces', async () => {
    for (const publicId of ['vv', '', 'cc']) await store().advance(publicId, counters, 'n'.repeat(16));
    await store().advance('dd', counters);
    const page = await store().list({ limit: 3 });
    expect(page.records.map(({ publicId }) => publicId)).toEqual(['', 'cc', 'dd']);
    expect(page.records[0]).toMatchObject({ ...counters, nonce: 'n'.repeat(16), acceptedCount: 1 });
    expect(page.records[2]?.nonce).toBeUndefined();
    const last = await store().list({ after: page.next, limit: 3 });
    expect(last.records.map(({ publicId }) => publicId)).toEqual(['vv']);
    expect(last.next).toBeUndefined();
  });

  it('counters of another server keep the time when they were accepted', async () => {
    const acceptedAt = new Date('2020-01-02T03:04:05Z');
    expect(await store().advance('vv', counters, undefined, acceptedAt)).toMatchObject({
      current: { acceptedAt },
    });
    expect(await store().get('vv')).toMatchObject({ acceptedAt });
  });
}
