import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseOtp, type Verifier } from '../../../src/index.js';
import { SoftYubikey } from '../../../src/testing/index.js';

export interface OpenVerifier {
  verifier: Verifier;
  close(): Promise<void> | void;
}

/**
 * The contract of every verifier. The verifier must know the given keys and no others.
 *
 * @param sentAgain The verdict about a request that is sent again: REPLAYED_OTP without support for nonces, as in
 * protocol 1.0 or with a KSM that refuses replays.
 */
export function describeVerifier(
  name: string,
  open: (keys: readonly SoftYubikey[]) => Promise<OpenVerifier>,
  sentAgain: 'REPLAYED_REQUEST' | 'REPLAYED_OTP' = 'REPLAYED_REQUEST',
): void {
  describe(name, () => {
    const yubikey = new SoftYubikey();
    const other = new SoftYubikey();
    const OK = { ok: true, identity: { publicId: yubikey.publicId } };
    let opened: OpenVerifier;

    beforeAll(async () => {
      opened = await open([yubikey, other]);
    });
    afterAll(() => opened?.close());

    const verify = (typed: string, nonce?: string) =>
      opened.verifier.verify(parseOtp(typed), nonce === undefined ? {} : { nonce });

    it('accepts a fresh OTP, and returns its public ID', async () => {
      expect(await verify(yubikey.press())).toMatchObject(OK);
      expect(await verify(other.press())).toMatchObject({ ok: true, identity: { publicId: other.publicId } });
    });

    it('refuses the same OTP as REPLAYED_OTP, however often', async () => {
      const otp = yubikey.press();
      expect(await verify(otp)).toMatchObject(OK);
      for (let again = 0; again < 3; again++) {
        expect(await verify(otp)).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
      }
    });

    it('refuses an older OTP after a newer one, even from before a power-up', async () => {
      const [older, newer] = [yubikey.press(), yubikey.press()];
      expect(await verify(newer)).toMatchObject(OK);
      expect(await verify(older)).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
      const beforePowerUp = yubikey.press();
      yubikey.replug();
      expect(await verify(yubikey.press())).toMatchObject(OK);
      expect(await verify(beforePowerUp)).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
    });

    it('refuses an unknown key and a forged OTP as BAD_OTP', async () => {
      expect(await verify(new SoftYubikey().press())).toEqual({ ok: false, reason: 'BAD_OTP' });
      const imposter = new SoftYubikey({ publicId: yubikey.publicId });
      expect(await verify(imposter.press())).toEqual({ ok: false, reason: 'BAD_OTP' });
      const { publicId, aesKey } = yubikey;
      const wrongPrivateId = new SoftYubikey({ publicId, aesKey, usageCounter: 0x7ff0 });
      expect(await verify(wrongPrivateId.press())).toEqual({ ok: false, reason: 'BAD_OTP' });
    });

    it('uses up nothing with a refused forgery', async () => {
      expect(await verify(yubikey.press())).toMatchObject(OK);
    });

    it('accepts an OTP that caps lock triggered', async () => {
      expect(await verify(yubikey.press({ capsLock: true }))).toMatchObject(OK);
      expect(await verify(yubikey.press())).toMatchObject(OK);
    });

    it('accepts an OTP that is sent fifty times at once exactly once', async () => {
      const otp = yubikey.press();
      const verdicts = await Promise.all(Array.from({ length: 50 }, () => verify(otp)));
      expect(verdicts.filter(({ ok }) => ok)).toHaveLength(1);
      expect(new Set(verdicts.map((verdict) => (verdict.ok ? 'OK' : verdict.reason)))).toEqual(
        new Set(['OK', 'REPLAYED_OTP']),
      );
    });

    it('distinguishes a repeated request from a replay by its nonce', async () => {
      const otp = yubikey.press();
      const nonce = 'n'.repeat(32);
      expect(await verify(otp, nonce)).toMatchObject(OK);
      expect(await verify(otp, nonce)).toEqual({ ok: false, reason: sentAgain });
      expect(await verify(otp, 'm'.repeat(32))).toEqual({ ok: false, reason: 'REPLAYED_OTP' });
    });

    it('accepts only an OTP from parseOtp, and only a well-formed nonce', async () => {
      const otp = yubikey.press();
      await expect(opened.verifier.verify(otp as never)).rejects.toThrow(TypeError);
      const injected = { ...parseOtp(otp), value: `${otp}\r\nstatus=OK` };
      await expect(opened.verifier.verify(injected)).rejects.toThrow(TypeError);
      await expect(verify(otp, 'too short')).rejects.toThrow(TypeError);
      expect(await verify(otp)).toMatchObject(OK);
    });

    it('refuses a value that is not an AbortSignal, and uses up nothing', async () => {
      const otp = parseOtp(yubikey.press());
      for (const signal of [new AbortController(), {}, 'abort', null]) {
        await expect(opened.verifier.verify(otp, { signal } as never), String(signal)).rejects.toThrow(
          TypeError,
        );
      }
      expect(await opened.verifier.verify(otp)).toMatchObject(OK);
    });

    it('rejects with ABORTED for an aborted signal, and uses up nothing', async () => {
      const otp = parseOtp(yubikey.press());
      const aborted = opened.verifier.verify(otp, { signal: AbortSignal.abort() });
      await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
      expect(await opened.verifier.verify(otp)).toMatchObject(OK);
    });
  });
}
