import assert from 'node:assert/strict';
import { assertOptions, type OptionNames } from '../options.js';
import { type Otp, parseOtp } from '../otp/otp.js';
import type { Verifier } from '../verifiers/verifier.js';
import { assertEqual } from './assertions.js';
import { SoftYubikey } from './soft-yubikey.js';
import type { DefineTest, TestRunner } from './test-runner.js';
import { assertVerdicts, toVerdict, type Verdict } from './verdicts.js';

/** A verifier that is open. */
export interface OpenVerifier {
  verifier: Verifier;
  /** Ends what `open` began. */
  close(): Promise<void> | void;
}

export interface VerifierContractOptions {
  /** Opens a verifier that knows these keys and no others, for each test a new one. */
  open(yubikeys: readonly SoftYubikey[]): Promise<OpenVerifier>;
  /**
   * Whether the verifier tells a request that is sent again from a replay, by its nonce. Default true. False, for example,
   * for protocol 1.0 and for a KSM that refuses replays: then both are REPLAYED_OTP.
   */
  nonces?: boolean | undefined;
  /** Whether the verifier rejects with `CLOSED` after `close()`. Default false: it has nothing to close. */
  closes?: boolean | undefined;
}

const OPTION_NAMES: OptionNames<VerifierContractOptions> = {
  open: true,
  nonces: true,
  closes: true,
};

/** What may end a verification that the caller aborts. */
const AFTER_ABORT = ['ABORTED', 'ANSWER_LOST', 'STORE_FAILED'];

interface Subject extends OpenVerifier {
  yubikey: SoftYubikey;
  other: SoftYubikey;
  verify(typed: string, nonce?: string): Promise<Verdict>;
}

/**
 * Defines the tests that every verifier passes: what it accepts, what it refuses and why, and what it rejects. They do not
 * cover faults of servers and stores.
 *
 * @throws TypeError for a missing or unknown option.
 */
export function describeVerifierContract(
  runner: TestRunner,
  name: string,
  options: VerifierContractOptions,
): void {
  assertOptions('describeVerifierContract', options, OPTION_NAMES);
  const { describe, it } = runner;
  const { open, nonces = true, closes = false } = options ?? {};
  if (typeof open !== 'function') {
    throw new TypeError('describeVerifierContract requires open, which opens a verifier');
  }

  async function openSubject(): Promise<Subject> {
    const [yubikey, other] = [new SoftYubikey(), new SoftYubikey()];
    const { verifier, close } = await open([yubikey, other]);
    const verify = async (typed: string, nonce?: string) =>
      toVerdict(await verifier.verify(parseOtp(typed), nonce === undefined ? {} : { nonce }));
    return { verifier, close, yubikey, other, verify };
  }

  const defineTest: DefineTest<Subject> = (title, test) =>
    it(title, async () => {
      const subject = await openSubject();
      try {
        await test(subject);
      } finally {
        await subject.close();
      }
    });

  describe(name, () => {
    describeVerdicts(defineTest);
    describeNonces(defineTest, nonces ? 'REPLAYED_REQUEST' : 'REPLAYED_OTP');
    describeArguments(defineTest);
    describeAbort(defineTest);
    if (closes) {
      it('rejects with CLOSED once it is closed', async () => {
        const { verifier, close, yubikey } = await openSubject();
        const otp = parseOtp(yubikey.press());
        assert.equal(toVerdict(await verifier.verify(otp)), 'OK');
        await close();
        await assert.rejects(verifier.verify(parseOtp(yubikey.press())), { code: 'CLOSED' });
      });
    }
  });
}

function describeVerdicts(it: DefineTest<Subject>): void {
  it('accepts a fresh OTP, and returns its public ID', async ({ verifier, yubikey, other }) => {
    for (const key of [yubikey, other]) {
      const verification = await verifier.verify(parseOtp(key.press()));
      assert.ok(verification.ok, 'is accepted');
      assert.equal(verification.identity.publicId, key.publicId);
    }
  });

  it('returns the counters of the OTP, if it returns counters', async ({ verifier, yubikey }) => {
    const verification = await verifier.verify(parseOtp(yubikey.press({ capsLock: true })));
    assert.ok(verification.ok, 'is accepted');
    const { counters } = verification.identity;
    if (counters) assertEqual(counters, yubikey.counters);
  });

  it('refuses the same OTP as REPLAYED_OTP, however often', async ({ verifier, yubikey, verify }) => {
    const typed = yubikey.press();
    assert.equal(await verify(typed), 'OK');
    for (let again = 0; again < 3; again++) {
      assertEqual(await verifier.verify(parseOtp(typed)), { ok: false, reason: 'REPLAYED_OTP' });
    }
  });

  it('refuses an older OTP after a newer one, even from before a power-up', async ({ yubikey, verify }) => {
    const [older, newer] = [yubikey.press(), yubikey.press()];
    assert.equal(await verify(newer), 'OK');
    assert.equal(await verify(older), 'REPLAYED_OTP');
    const beforePowerUp = yubikey.press();
    yubikey.replug();
    assert.equal(await verify(yubikey.press()), 'OK');
    assert.equal(await verify(beforePowerUp), 'REPLAYED_OTP');
  });

  it('refuses an unknown key and a forged OTP as BAD_OTP', async ({ verifier, yubikey, verify }) => {
    const unknown = parseOtp(new SoftYubikey().press());
    assertEqual(await verifier.verify(unknown), { ok: false, reason: 'BAD_OTP' });
    const { publicId, aesKey } = yubikey;
    const imposter = new SoftYubikey({ publicId });
    assert.equal(await verify(imposter.press()), 'BAD_OTP');
    const wrongPrivateId = new SoftYubikey({ publicId, aesKey, usageCounter: 0x7ff0 });
    assert.equal(await verify(wrongPrivateId.press()), 'BAD_OTP');
  });

  it('uses up nothing with a refused forgery', async ({ yubikey, verify }) => {
    const { publicId, aesKey } = yubikey;
    const forgery = new SoftYubikey({ publicId, aesKey, usageCounter: 0x7ff0 });
    assert.equal(await verify(forgery.press()), 'BAD_OTP');
    assert.equal(await verify(yubikey.press()), 'OK');
  });

  it('refuses the token of one key with the public ID of another as BAD_OTP', async (subject) => {
    const { yubikey, other, verify } = subject;
    assert.equal(await verify(other.publicId + parseOtp(yubikey.press()).token), 'BAD_OTP');
    assert.equal(await verify(other.press()), 'OK');
  });

  it('accepts an OTP that caps lock triggered', async ({ yubikey, verify }) => {
    assert.equal(await verify(yubikey.press({ capsLock: true })), 'OK');
    assert.equal(await verify(yubikey.press()), 'OK');
  });

  it('accepts an OTP that is sent fifty times at once exactly once', async ({ verifier, yubikey }) => {
    const otp = parseOtp(yubikey.press());
    const all = await Promise.all(Array.from({ length: 50 }, () => verifier.verify(otp)));
    assertVerdicts(all, { OK: 1, REPLAYED_OTP: 49 });
  });
}

function describeNonces(it: DefineTest<Subject>, sentAgain: Verdict): void {
  it('distinguishes a repeated request from a replay by its nonce', async ({ yubikey, verify }) => {
    const typed = yubikey.press();
    const nonce = 'n'.repeat(32);
    assert.equal(await verify(typed, nonce), 'OK');
    assert.equal(await verify(typed, nonce), sentAgain);
    assert.equal(await verify(typed, 'm'.repeat(32)), 'REPLAYED_OTP');
    assert.equal(await verify(typed), 'REPLAYED_OTP');
  });
}

function describeArguments(it: DefineTest<Subject>): void {
  it('accepts only an OTP from parseOtp, and only a well-formed nonce', async ({
    verifier,
    yubikey,
    verify,
  }) => {
    const typed = yubikey.press();
    const otp = parseOtp(typed);
    const injected = { ...otp, value: `${typed}\r\nstatus=OK` };
    const swapped = { ...otp, publicId: 'vv' };
    for (const wrong of [typed, injected, swapped, undefined]) {
      await assert.rejects(verifier.verify(wrong as Otp), TypeError);
    }
    await assert.rejects(verify(typed, 'too short'), TypeError);
    assert.equal(await verify(typed), 'OK');
  });

  it('refuses a value that is not an AbortSignal, and uses up nothing', async ({
    verifier,
    yubikey,
    verify,
  }) => {
    const typed = yubikey.press();
    for (const signal of [new AbortController(), {}, 'abort', null]) {
      await assert.rejects(verifier.verify(parseOtp(typed), { signal } as never), TypeError, String(signal));
    }
    assert.equal(await verify(typed), 'OK');
  });
}

function describeAbort(it: DefineTest<Subject>): void {
  it('rejects with ABORTED for an aborted signal, and uses up nothing', async ({
    verifier,
    yubikey,
    verify,
  }) => {
    const typed = yubikey.press();
    const signal = AbortSignal.abort();
    await assert.rejects(verifier.verify(parseOtp(typed), { signal }), { code: 'ABORTED' });
    assert.equal(await verify(typed), 'OK');
  });

  it('a verification that is aborted accepts the OTP, or rejects; the OTP is accepted once at most', async (subject) => {
    const { verifier, yubikey, verify } = subject;
    const typed = yubikey.press();
    const controller = new AbortController();
    const verification = verifier.verify(parseOtp(typed), { signal: controller.signal });
    controller.abort();
    const [outcome] = await Promise.allSettled([verification]);
    if (outcome.status === 'rejected') {
      const { code } = outcome.reason;
      assert.ok(AFTER_ABORT.includes(code), `${code} is one of ${AFTER_ABORT.join(', ')}`);
    } else {
      assert.equal(toVerdict(outcome.value), 'OK');
      assert.equal(await verify(typed), 'REPLAYED_OTP');
    }
    // The write of a verification that was given up may still be under way.
    const later = await Promise.all([verify(typed), verify(typed)]);
    assert.ok(later.filter((verdict) => verdict === 'OK').length <= 1, `${later} has at most one OK`);
    assert.equal(await verify(typed), 'REPLAYED_OTP');
  });
}
