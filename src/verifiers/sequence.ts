import { YubikeyError } from '../errors.js';
import { assertOptional, type OptionNames } from '../options.js';
import { type Counters, isNewer, millisecondsBetween } from '../otp/counters.js';
import type { Otp } from '../otp/otp.js';
import type { Rejection } from '../protocol/status.js';
import { publishRefusal } from './trace.js';
import type { Verification, Verifier, VerifyOptions } from './verifier.js';

export interface SequenceOptions extends Pick<VerifyOptions, 'signal'> {
  /** The maximum time from the first touch to the last by the key's own clock, in milliseconds. Default 5000. */
  window?: number | undefined;
}

const OPTION_NAMES: OptionNames<SequenceOptions> = {
  window: true,
  signal: true,
};

/**
 * Verifies several touches of one key: at least two OTPs with one public ID, typed in this order in one power-up,
 * within a window by the key's clock. OTPs that somebody collected one at a time are refused.
 *
 * OTPs of different keys are refused as BAD_OTP, touches of different power-ups or outside the window as DELAYED_OTP.
 * Otherwise, the first OTP that the verifier refuses decides. Every OTP that was verified is used up. The identity has
 * the counters of the last one.
 *
 * @throws TypeError for fewer than two OTPs or an unknown option; YubikeyError `COUNTERS_MISSING` if the verifier does
 * not return counters (give `CloudVerifier` the option `counters`), and errors of the verifier.
 */
export async function verifySequence(
  verifier: Verifier,
  otps: readonly Otp[],
  options: SequenceOptions = {},
): Promise<Verification> {
  assertOptional('verifySequence', options, OPTION_NAMES);
  const { window = 5000, signal } = options;
  if (!Array.isArray(otps) || otps.length < 2)
    throw new TypeError('verifySequence requires at least two OTPs');
  if (!(window > 0)) throw new TypeError('window must be a positive number of milliseconds');
  const first = otps[0] as Otp;
  if (otps.some(({ publicId }) => publicId !== first.publicId)) return refuse(first, 'BAD_OTP');

  const touches: Counters[] = [];
  let last: Verification | undefined;
  for (const otp of otps) {
    last = await verifier.verify(otp, signal ? { signal } : {});
    if (!last.ok) return last;
    touches.push(requireCounters(last.identity.counters));
  }
  return isOneSequence(touches, window) ? (last as Verification) : refuse(first, 'DELAYED_OTP');
}

/** Refuses a sequence for what no single verification shows. */
function refuse(otp: Otp, reason: Rejection): Verification {
  publishRefusal('verifySequence', otp, reason);
  return { ok: false, reason };
}

function isOneSequence(touches: readonly Counters[], window: number): boolean {
  const [first] = touches as [Counters];
  return touches.slice(1).every((touch, index) => {
    const previous = touches[index] as Counters;
    return (
      touch.usageCounter === first.usageCounter &&
      isNewer(touch, previous) &&
      millisecondsBetween(first, touch) <= window
    );
  });
}

function requireCounters(counters: Counters | undefined): Counters {
  if (counters) return counters;
  throw new YubikeyError(
    'COUNTERS_MISSING',
    'verifySequence needs counters, which this verifier does not return: CloudVerifier does with the option counters',
  );
}
