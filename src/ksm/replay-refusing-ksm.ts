import { YubikeyError } from '../errors.js';
import { isNewer } from '../otp/counters.js';
import type { Otp } from '../otp/otp.js';
import type { Token } from '../otp/token.js';
import type { CounterStore, KeyStore } from '../stores/store.js';
import type { Decryption, Ksm } from './ksm.js';
import { type OpenedOtp, OtpOpener } from './open-otp.js';
import { candidateRow, storePrivateId } from './pin.js';

type Opened = Extract<OpenedOtp, { ok: true }>;

export interface ReplayRefusingKsmOptions {
  /** Pins keys that are stored without a private ID. Default false: their OTPs are refused and nothing is stored. */
  pinKeys?: boolean | undefined;
  /** Also decrypts OTPs whose private ID was not compared. Default false. */
  allowUnpinnedKeys?: boolean | undefined;
}

/**
 * A KSM that decrypts each OTP only once, as a KSM with a REST API does. A decrypted OTP is used up in the counters of
 * its public ID, and so for every service that shares them.
 *
 * With `pinKeys`, it pins the private ID of a key that was stored without one by two OTPs with the same private ID and
 * rising counters. Until then, an OTP of that key is compared only with earlier OTPs of the same private ID, so a token
 * that passes the CRC by chance is not accepted and does not lock out the key's owner. One random token in 65,536
 * leaves a row of about 100 bytes in the counter store.
 */
export class ReplayRefusingKsm implements Ksm {
  readonly #keys: Pick<KeyStore, 'get' | 'replace'>;
  readonly #opener: OtpOpener;
  readonly #counters: Pick<CounterStore, 'advance' | 'get'>;
  readonly #pinKeys: boolean;
  readonly #allowUnpinnedKeys: boolean;

  constructor(
    keys: Pick<KeyStore, 'get' | 'replace'>,
    counters: Pick<CounterStore, 'advance' | 'get'>,
    { pinKeys = false, allowUnpinnedKeys = false }: ReplayRefusingKsmOptions = {},
  ) {
    this.#keys = keys;
    this.#opener = new OtpOpener(keys);
    this.#counters = counters;
    this.#pinKeys = pinKeys;
    this.#allowUnpinnedKeys = allowUnpinnedKeys;
  }

  /**
   * @throws YubikeyError `PRIVATE_ID_UNCHECKED` for a key that is not pinned yet, `STORE_FAILED`, `KEY_UNUSABLE`, and
   * each YubikeyError of the stores.
   */
  async decrypt(otp: Otp): Promise<Decryption> {
    const opened = await this.#opener.open(otp, (it) => it);
    if (!opened.ok) return opened;
    try {
      if (opened.privateIdChecked) return await this.#accept(opened);
      if (this.#pinKeys) return await this.#consider(otp, opened);
      if (this.#allowUnpinnedKeys) return await this.#accept(opened);
    } catch (cause) {
      if (cause instanceof YubikeyError) throw cause;
      throw new YubikeyError('STORE_FAILED', 'The counter store failed', { cause });
    }
    throw unchecked(otp);
  }

  async #accept({ key, token, privateIdChecked }: Opened): Promise<Decryption> {
    // The OTP may have been seen while the key was stored without its private ID. Then nothing is written, because a
    // process that does not see the pinning yet may be decrypting the same OTP.
    if (await this.#isUsedUp(candidateRow(key, token), token)) return REPLAYED;
    const { advanced } = await this.#counters.advance(key.publicId, token.counters);
    return advanced ? decrypted(token, privateIdChecked) : REPLAYED;
  }

  /** Decides about an OTP of a key whose private ID is not known. */
  async #consider(otp: Otp, { key, token }: Opened): Promise<Decryption> {
    if (await this.#isUsedUp(key.publicId, token)) return REPLAYED;
    const candidate = await this.#counters.advance(candidateRow(key, token), token.counters);
    if (!candidate.advanced) return REPLAYED;
    const isFirst = candidate.previous === undefined;
    if (isFirst && !this.#allowUnpinnedKeys) throw unchecked(otp);
    // This comes before pinning: afterwards, only these counters refuse the OTPs up to this one.
    const { advanced } = await this.#counters.advance(key.publicId, token.counters);
    if (!advanced) return REPLAYED;
    if (isFirst) return decrypted(token, false);
    const pinning = await storePrivateId(this.#keys, otp);
    const isPinned = pinning === 'PINNED' || pinning === 'ALREADY_PINNED';
    return isPinned ? decrypted(token, true) : { ok: false, reason: pinning };
  }

  async #isUsedUp(row: string, { counters }: Token): Promise<boolean> {
    const last = await this.#counters.get(row);
    return !isNewer(counters, last);
  }
}

const REPLAYED = { ok: false, reason: 'REPLAYED_OTP' } as const;

function decrypted({ counters, capsLock }: Token, privateIdChecked: boolean): Decryption {
  return { ok: true, counters, capsLock, privateIdChecked };
}

function unchecked({ publicId }: Otp): YubikeyError {
  return new YubikeyError(
    'PRIVATE_ID_UNCHECKED',
    `The private ID of the key ${publicId} is not known yet, so its OTPs are not accepted: pin the key`,
  );
}
