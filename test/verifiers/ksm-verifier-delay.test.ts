import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LocalKsm } from '../../src/ksm/local-ksm.js';
import { parseOtp } from '../../src/otp/otp.js';
import { MemoryStore } from '../../src/stores/index.js';
import { SoftYubikey } from '../../src/testing/index.js';
import { type DelayTolerance, KsmVerifier } from '../../src/verifiers/ksm-verifier.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;
const DELAYED = { ok: false, reason: 'DELAYED_OTP' };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (milliseconds: number) => vi.advanceTimersByTime(milliseconds);

async function keyThatSignedIn(
  delayTolerance?: true | DelayTolerance,
  clockAtPowerUp: number = new SoftYubikey().toJSON().clockAtPowerUp,
) {
  const store = new MemoryStore();
  const yubikey = SoftYubikey.fromJSON({ ...new SoftYubikey().toJSON(), clockAtPowerUp });
  await store.keys.add(yubikey);
  const verifier = new KsmVerifier({
    ksm: new LocalKsm(store.keys),
    counters: store.counters,
    delayTolerance,
  });
  const verify = (typed: string) => verifier.verify(parseOtp(typed));
  expect(await verify(yubikey.press())).toMatchObject({ ok: true });
  return { yubikey, verify };
}

describe('delayTolerance', () => {
  it('refuses an OTP that was held back for a minute, and uses it up', async () => {
    const { yubikey, verify } = await keyThatSignedIn(true);
    pass(10 * SECOND);
    const typed = yubikey.press();
    pass(MINUTE);
    expect(await verify(typed)).toEqual(DELAYED);
    expect(await verify(typed)).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
  });

  it('accepts the key again after that', async () => {
    const { yubikey, verify } = await keyThatSignedIn(true);
    const typed = yubikey.press();
    pass(MINUTE);
    expect(await verify(typed)).toEqual(DELAYED);
    yubikey.replug();
    expect(await verify(yubikey.press())).toMatchObject({ ok: true });
  });

  it('accepts an OTP that is sent when it is typed, however long after the last one', async () => {
    const { yubikey, verify } = await keyThatSignedIn(true);
    for (const pause of [0, 100, SECOND, MINUTE, DAY, 7 * DAY]) {
      pass(pause);
      expect(await verify(yubikey.press()), `after ${pause} ms`).toMatchObject({ ok: true });
    }
  });

  it.each<[string, true | DelayTolerance, number, number, boolean]>([
    ['20 seconds', true, 10 * SECOND, 20 * SECOND - 125, true],
    ['more than 20 seconds', true, 10 * SECOND, 20 * SECOND + 125, false],
    ['30 % of the time since the last one', true, 7 * MINUTE, 3 * MINUTE - 125, true],
    ['more than 30 % of that time', true, 7 * MINUTE, 3 * MINUTE + 125, false],
    ['4 of 5 seconds', { absolute: 5 * SECOND, relative: 0 }, MINUTE, 4 * SECOND, true],
    ['6 of 5 seconds', { absolute: 5 * SECOND, relative: 0 }, MINUTE, 6 * SECOND, false],
    ['40 of 50 %', { absolute: 0, relative: 0.5 }, 6 * SECOND, 4 * SECOND, true],
    ['60 of 50 %', { absolute: 0, relative: 0.5 }, 4 * SECOND, 6 * SECOND, false],
  ])('accepts or refuses an OTP that is late by %s', async (_, tolerance, pause, late, ok) => {
    const { yubikey, verify } = await keyThatSignedIn(tolerance);
    pass(pause);
    const typed = yubikey.press();
    pass(late);
    expect(await verify(typed)).toMatchObject(ok ? { ok } : DELAYED);
  });

  it('does not compare clocks across a power-up, which restarts the clock', async () => {
    const { yubikey, verify } = await keyThatSignedIn(true);
    pass(10 * SECOND);
    yubikey.replug();
    const typed = yubikey.press();
    pass(MINUTE);
    expect(await verify(typed)).toMatchObject({ ok: true });
  });

  it('continues after the clock of the key wraps', async () => {
    const { yubikey, verify } = await keyThatSignedIn(true, 0xff_fff0);
    pass(10 * SECOND);
    expect(await verify(yubikey.press())).toMatchObject({ ok: true });
    pass(40 * DAY);
    expect(await verify(yubikey.press())).toMatchObject({ ok: true });
    const typed = yubikey.press();
    pass(MINUTE);
    expect(await verify(typed)).toEqual(DELAYED);
  });

  it('is off by default', async () => {
    const { yubikey, verify } = await keyThatSignedIn();
    const typed = yubikey.press();
    pass(7 * DAY);
    expect(await verify(typed)).toMatchObject({ ok: true });
  });
});
