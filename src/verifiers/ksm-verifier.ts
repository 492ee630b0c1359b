import { YubikeyError } from '../errors.js';
import type { Decryption, Ksm } from '../ksm/ksm.js';
import { untilAborted } from '../ksm/until-aborted.js';
import { assertOptional, assertOptions, assertSignal, type OptionNames } from '../options.js';
import { clockDeviation } from '../otp/counters.js';
import { assertOtp, type Otp } from '../otp/otp.js';
import type { Advance, CounterRecord, CounterStore } from '../stores/store.js';
import { traceVerification } from './trace.js';
import {
  assertNonce,
  VERIFY_OPTIONS,
  type Verification,
  type Verifier,
  type VerifyOptions,
} from './verifier.js';

/** The tolerated difference between the key's clock and the server's. A delayed OTP exceeds both limits. */
export interface DelayTolerance {
  /** Milliseconds. Default 20,000. */
  absolute?: number | undefined;
  /** A fraction of the time since the last OTP. Default 0.3. */
  relative?: number | undefined;
}

/** A {@link DelayTolerance} with its defaults. */
interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

const TOLERANCE_NAMES: OptionNames<DelayTolerance> = {
  absolute: true,
  relative: true,
};

export interface KsmVerifierOptions {
  /** Decrypts the OTPs, such as a `LocalKsm`. */
  ksm: Ksm;
  /** Refuses replays, such as the counters of a store. */
  counters: Pick<CounterStore, 'advance'>;
  /**
   * Refuses OTPs that were typed long before they were sent, such as phished ones, as DELAYED_OTP. It compares the key's
   * clock with the server's between two OTPs of one power-up. `true` uses the reference server's tolerance. Default: no
   * such check.
   */
  delayTolerance?: true | DelayTolerance | undefined;
  /**
   * Accepts OTPs whose private ID was not compared. One random token in 65,536 then passes, and may raise the counters
   * of the key so far that OTPs of its owner are refused as replayed. Default false.
   */
  allowUnpinnedKeys?: boolean | undefined;
}

const OPTION_NAMES: OptionNames<KsmVerifierOptions> = {
  ksm: true,
  counters: true,
  delayTolerance: true,
  allowUnpinnedKeys: true,
};

/** Verifies OTPs with your own keys: a KSM decrypts, and a counter store refuses replays. Asks no validation server. */
export class KsmVerifier implements Verifier {
  readonly #ksm: Ksm;
  readonly #counters: Pick<CounterStore, 'advance'>;
  readonly #tolerance: Tolerance | undefined;
  readonly #allowUnpinnedKeys: boolean;

  /** @throws TypeError for a missing, unknown or unusable option. */
  constructor(options: KsmVerifierOptions) {
    assertOptions('KsmVerifier', options, OPTION_NAMES);
    const { ksm, counters, delayTolerance, allowUnpinnedKeys } = options ?? {};
    if (typeof ksm?.decrypt !== 'function')
      throw new TypeError('KsmVerifier requires ksm, such as a LocalKsm');
    if (typeof counters?.advance !== 'function') {
      throw new TypeError('KsmVerifier requires counters, such as the counters of a SqliteStore');
    }
    this.#ksm = ksm;
    this.#counters = counters;
    this.#tolerance = delayTolerance && readTolerance(delayTolerance === true ? {} : delayTolerance);
    this.#allowUnpinnedKeys = allowUnpinnedKeys === true;
  }

  /**
   * Verifies one OTP.
   *
   * @throws YubikeyError
   * - `PRIVATE_ID_UNCHECKED` for a key that was stored without its private ID and is not pinned.
   * - `STORE_FAILED` or `KSM_FAILED` if no verdict could be reached.
   * - `ANSWER_LOST` if a store or a remote KSM may have used up the OTP.
   * - If the signal fires, one of these, or `ABORTED` if neither the store nor the KSM knows more.
   */
  verify(otp: Otp, options: VerifyOptions = {}): Promise<Verification> {
    return traceVerification('KsmVerifier', otp, () => this.#verify(otp, options));
  }

  async #verify(otp: Otp, options: VerifyOptions): Promise<Verification> {
    assertOtp(otp);
    assertOptional('verify()', options, VERIFY_OPTIONS);
    const { signal, nonce } = options;
    if (nonce !== undefined) assertNonce(nonce);
    assertSignal(signal);
    throwIfAborted(signal);
    const decryption = await this.#decrypt(otp, signal);
    if (!decryption.ok) {
      return { ok: false, reason: decryption.reason === 'REPLAYED_OTP' ? 'REPLAYED_OTP' : 'BAD_OTP' };
    }
    if (!decryption.privateIdChecked && !this.#allowUnpinnedKeys) {
      throw new YubikeyError(
        'PRIVATE_ID_UNCHECKED',
        `The private ID of the key ${otp.publicId} was not compared, so its OTPs are not accepted: pin the key`,
      );
    }
    throwIfAborted(signal);
    const { publicId } = otp;
    const { counters } = decryption;
    const advance = await this.#advance(publicId, counters, nonce, undefined, signal);
    if (!advance.advanced) return { ok: false, reason: advance.reason };
    if (this.#isDelayed(advance.previous, advance.current)) return { ok: false, reason: 'DELAYED_OTP' };
    return { ok: true, identity: { publicId, counters } };
  }

  async #decrypt(otp: Otp, signal: AbortSignal | undefined): Promise<Decryption> {
    try {
      return await untilAborted(this.#ksm.decrypt(otp, { signal }), signal, aborted);
    } catch (cause) {
      if (cause instanceof YubikeyError) throw cause;
      throw new YubikeyError('KSM_FAILED', 'The KSM failed', { cause });
    }
  }

  async #advance(...row: Parameters<CounterStore['advance']>): Promise<Advance> {
    const [, , , , signal] = row;
    try {
      return await untilAborted(this.#counters.advance(...row), signal, answerLost);
    } catch (cause) {
      if (cause instanceof YubikeyError) throw cause;
      throw new YubikeyError('STORE_FAILED', 'The counter store failed', { cause });
    }
  }

  #isDelayed(last: CounterRecord | undefined, next: CounterRecord): boolean {
    if (!this.#tolerance || last?.usageCounter !== next.usageCounter) return false;
    const elapsed = next.acceptedAt.getTime() - last.acceptedAt.getTime();
    const deviation = clockDeviation(last, next, elapsed);
    return deviation > this.#tolerance.absolute && deviation > this.#tolerance.relative * elapsed;
  }
}

function readTolerance(tolerance: DelayTolerance): Tolerance {
  assertOptional('delayTolerance', tolerance, TOLERANCE_NAMES);
  const { absolute = 20_000, relative = 0.3 } = tolerance;
  if (!(absolute >= 0 && relative >= 0)) {
    throw new TypeError('delayTolerance takes absolute (milliseconds) and relative (0.3 is 30 %)');
  }
  return { absolute, relative };
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw aborted(signal.reason);
  }
}

function aborted(cause: unknown): YubikeyError {
  return new YubikeyError('ABORTED', 'The verification was aborted', { cause });
}

function answerLost(cause: unknown): YubikeyError {
  return new YubikeyError(
    'ANSWER_LOST',
    'The verification was aborted while the counter store had the OTP, so it may be used up: touch the key again',
    { cause },
  );
}
