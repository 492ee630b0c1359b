import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LocalKsm } from '../../src/ksm/local-ksm.js';
import { type Otp, parseOtp } from '../../src/otp/otp.js';
import { MemoryStore } from '../../src/stores/index.js';
import { SoftYubikey } from '../../src/testing/index.js';
import { KsmVerifier } from '../../src/verifiers/ksm-verifier.js';
import { verifySequence } from '../../src/verifiers/sequence.js';
import type { Verifier } from '../../src/verifiers/verifier.js';

const DELAYED = { ok: false, reason: 'DELAYED_OTP' };
const REPLAYED = { ok: false, reason: 'REPLAYED_OTP' };

let verifier: KsmVerifier;
let yubikey: SoftYubikey;
let other: SoftYubikey;
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const store = new MemoryStore();
  verifier = new KsmVerifier({ ksm: new LocalKsm(store.keys), counters: store.counters });
  yubikey = new SoftYubikey();
  other = new SoftYubikey();
  for (const key of [yubikey, other]) await store.keys.add(key);
});
afterEach(() => {
  vi.useRealTimers();
});

const touch = (key = yubikey) => parseOtp(key.press());
function touches(...pauses: number[]): Otp[] {
  return [
    touch(),
    ...pauses.map((pause) => {
      vi.advanceTimersByTime(pause);
      return touch();
    }),
  ];
}

describe('verifySequence', () => {
  it.each([[[1000]], [[1000, 1000]], [[0, 0, 0, 0]], [[5000]]])(
    'accepts touches of one key %j ms apart, and returns the counters of the last',
    async (pauses) => {
      const otps = touches(...pauses);
      expect(await verifySequence(verifier, otps)).toEqual({
        ok: true,
        identity: { publicId: yubikey.publicId, counters: yubikey.counters },
      });
      for (const otp of otps) expect(await verifier.verify(otp)).toEqual(REPLAYED);
    },
  );

  it('refuses OTPs of different keys as BAD_OTP, and uses up none of them', async () => {
    const otps = [touch(), touch(other)];
    expect(await verifySequence(verifier, otps)).toEqual({ ok: false, reason: 'BAD_OTP' });
    for (const otp of otps) expect(await verifier.verify(otp)).toMatchObject({ ok: true });
  });

  it('refuses a sequence with a power-up as DELAYED_OTP, even if the clocks agree by chance', async () => {
    const first = touch();
    yubikey.replug();
    expect(await verifySequence(verifier, [first, touch()])).toEqual(DELAYED);
    const second = touch();
    const { sessionUse: _, ...poweredUpAgain } = yubikey.toJSON();
    yubikey = SoftYubikey.fromJSON(poweredUpAgain);
    expect(await verifySequence(verifier, [second, touch()])).toEqual(DELAYED);
  });

  it('refuses a sequence whose first and last touch are too far apart as DELAYED_OTP', async () => {
    expect(await verifySequence(verifier, touches(5125))).toEqual(DELAYED);
    expect(await verifySequence(verifier, touches(3000, 3000))).toEqual(DELAYED);
  });

  it('uses the clock of the key, not the time of arrival', async () => {
    const otps = touches(1000);
    vi.advanceTimersByTime(3_600_000);
    expect(await verifySequence(verifier, otps)).toMatchObject({ ok: true });
  });

  it('accepts another window', async () => {
    expect(await verifySequence(verifier, touches(60_000), { window: 60_000 })).toMatchObject({ ok: true });
    expect(await verifySequence(verifier, touches(1000), { window: 500 })).toEqual(DELAYED);
  });

  it('continues after the clock of the key wraps', async () => {
    const { publicId, aesKey, privateId } = yubikey.toJSON();
    const state = { ...new SoftYubikey().toJSON(), publicId, aesKey, privateId, clockAtPowerUp: 0xff_fffe };
    yubikey = SoftYubikey.fromJSON(state);
    expect(await verifySequence(verifier, touches(2000))).toMatchObject({ ok: true });
    yubikey = SoftYubikey.fromJSON({ ...state, usageCounter: 9, poweredUpAt: Date.now() });
    expect(await verifySequence(verifier, touches(6000))).toEqual(DELAYED);
  });

  it('refuses the wrong order, a repeated OTP, and a used OTP', async () => {
    const [first, second] = touches(1000) as [Otp, Otp];
    expect(await verifySequence(verifier, [second, first])).toEqual(REPLAYED);
    const third = touch();
    expect(await verifySequence(verifier, [third, third])).toEqual(REPLAYED);
    expect(await verifySequence(verifier, [third, touch()])).toEqual(REPLAYED);
  });

  it('stops at the first OTP that is refused, and does not use up those after it', async () => {
    const forged = parseOtp(new SoftYubikey({ publicId: yubikey.publicId }).press());
    const last = touch();
    expect(await verifySequence(verifier, [touch(), forged, last])).toEqual({ ok: false, reason: 'BAD_OTP' });
    expect(await verifySequence(verifier, [forged, last])).toEqual({ ok: false, reason: 'BAD_OTP' });
  });

  it.each([[[]], [undefined], ['one string of two OTPs']])(
    'needs at least two OTPs, not %j',
    async (otps) => {
      await expect(verifySequence(verifier, otps as Otp[])).rejects.toThrow(TypeError);
      const single = touch();
      await expect(verifySequence(verifier, [single])).rejects.toThrow(TypeError);
      expect(await verifier.verify(single)).toMatchObject({ ok: true });
    },
  );

  it.each([0, -1, Number.NaN, '5 s'])('needs a window of time, not %j', async (window) => {
    const call = verifySequence(verifier, touches(100), { window: window as number });
    await expect(call).rejects.toThrow(TypeError);
  });

  it('needs a verifier that returns counters', async () => {
    const { publicId } = yubikey;
    const silent: Verifier = { verify: async () => ({ ok: true, identity: { publicId } }) };
    await expect(verifySequence(silent, touches(100))).rejects.toMatchObject({
      name: 'YubikeyError',
      code: 'COUNTERS_MISSING',
    });
  });

  it('does not rely on a verifier that accepts one touch twice', async () => {
    const { publicId, counters } = yubikey;
    const gullible: Verifier = { verify: async () => ({ ok: true, identity: { publicId, counters } }) };
    expect(await verifySequence(gullible, touches(100))).toEqual(DELAYED);
  });

  it('passes on errors of the verifier, and the signal', async () => {
    const otps = touches(100);
    const call = verifySequence(verifier, otps, { signal: AbortSignal.abort() });
    await expect(call).rejects.toMatchObject({ code: 'ABORTED' });
    expect(await verifySequence(verifier, otps)).toMatchObject({ ok: true });
  });
});
