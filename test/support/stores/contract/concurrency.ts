import { expect, it } from 'vitest';
import { LocalKsm } from '../../../../src/ksm/local-ksm.js';
import { parseOtp } from '../../../../src/otp/otp.js';
import { SoftYubikey, type SoftYubikeyOptions } from '../../../../src/testing/index.js';
import { KsmVerifier } from '../../../../src/verifiers/ksm-verifier.js';
import type { Verification } from '../../../../src/verifiers/verifier.js';
import type { OpenStore } from './store-contract.js';

const toVerdict = (verification: Verification) => (verification.ok ? 'OK' : verification.reason);

function tally(verifications: readonly Verification[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const verdict of verifications.map(toVerdict)) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return counts;
}

export function describeConcurrency(store: () => OpenStore): void {
  const verifier = () => new KsmVerifier({ ksm: new LocalKsm(store().keys), counters: store().counters });

  async function yubikey(options: SoftYubikeyOptions = {}): Promise<SoftYubikey> {
    const yubikey = new SoftYubikey(options);
    expect(await store().keys.add(yubikey)).toBe(true);
    return yubikey;
  }

  it('one OTP sent fifty times at once is accepted once', async () => {
    const otp = parseOtp((await yubikey()).press());
    const all = await Promise.all(Array.from({ length: 50 }, () => verifier().verify(otp)));
    expect(tally(all)).toEqual({ OK: 1, REPLAYED_OTP: 49 });
  });

  it('one OTP sent fifty times at once with one nonce is accepted once', async () => {
    const otp = parseOtp((await yubikey()).press());
    const nonce = 'a'.repeat(32);
    const all = await Promise.all(Array.from({ length: 50 }, () => verifier().verify(otp, { nonce })));
    expect(tally(all)).toEqual({ OK: 1, REPLAYED_REQUEST: 49 });
  });

  it('OTPs of different keys that are sent at once do not affect each other', async () => {
    const keys = await Promise.all(
      ['', 'c', 'cc', 'vvcccccccccb', 'cccccccccccccccc'].map((publicId) => yubikey({ publicId })),
    );
    for (const round of [1, 2, 3]) {
      const otps = keys.map((key) => parseOtp(key.press()));
      const all = await Promise.all([...otps, ...otps].map((otp) => verifier().verify(otp)));
      expect(tally(all), `round ${round}`).toEqual({ OK: keys.length, REPLAYED_OTP: keys.length });
      for (const key of keys) {
        expect(await store().counters.get(key.publicId)).toMatchObject({
          acceptedCount: round,
          sessionUse: round - 1,
        });
      }
    }
  });

  it('different OTPs of one key that are sent at once leave the newest counters, whichever are accepted', async () => {
    const key = await yubikey();
    const otps = Array.from({ length: 20 }, () => parseOtp(key.press()));
    const all = await Promise.all(otps.toReversed().map((otp) => verifier().verify(otp)));
    const accepted = all.filter(({ ok }) => ok).length;
    expect(accepted).toBeGreaterThanOrEqual(1);
    expect(await store().counters.get(key.publicId)).toMatchObject({
      ...key.counters,
      timestamp: expect.any(Number),
      acceptedCount: accepted,
    });
  });

  it('a deleted key keeps its counters: its used OTPs stay used when it is added again', async () => {
    const key = await yubikey();
    const otp = parseOtp(key.press());
    expect(toVerdict(await verifier().verify(otp))).toBe('OK');
    await store().keys.delete(key.publicId);
    expect(toVerdict(await verifier().verify(otp))).toBe('BAD_OTP');
    await store().keys.add(key);
    expect(toVerdict(await verifier().verify(otp))).toBe('REPLAYED_OTP');
    expect(toVerdict(await verifier().verify(parseOtp(key.press())))).toBe('OK');
  });
}
