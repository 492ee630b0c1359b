import { createHmac } from 'node:crypto';
import { YubikeyError } from '../errors.js';
import { type Counters, isNewer } from '../otp/counters.js';
import type { Otp } from '../otp/otp.js';
import type { Token } from '../otp/token.js';
import type { CounterStore, KeyStore } from '../stores/store.js';
import type { Decryption, Ksm } from './ksm.js';
import { type OpenedOtp, OtpOpener } from './open-otp.js';
import { pinPrivateId } from './pin.js';

type Opened = Extract<OpenedOtp, { ok: true }>;

/**
 * A KSM that decrypts each OTP once, as one with a REST API does, and pins the private ID of keys that were stored
 * without one: to that of the first two OTPs that agree in it, with rising counters.
 *
 * Until then an OTP of such a key is compared only with earlier ones of the same private ID, so that a token which
 * passes the CRC by chance can neither be accepted as a later one nor lock the key's owner out.
 */
export class ReplayRefusingKsm implements Ksm {
  readonly #keys: Pick<KeyStore, 'get' | 'replace'>;
  readonly #opener: OtpOpener;
  readonly #counters: Pick<CounterStore, 'advance' | 'get'>;

  constructor(keys: Pick<KeyStore, 'get' | 'replace'>, counters: Pick<CounterStore, 'advance' | 'get'>) {
    this.#keys = keys;
    this.#opener = new OtpOpener(keys);
    this.#counters = counters;
  }

  /** @throws YubikeyError `STORE_FAILED`, `KEY_UNUSABLE`, and what the stores throw as such. */
  async decrypt(otp: Otp): Promise<Decryption> {
    const opened = await this.#opener.open(otp, (it) => it);
    if (!opened.ok) return opened;
    try {
      return opened.privateIdChecked ? await this.accept(otp, opened) : await this.consider(otp, opened);
    } catch (cause) {
      if (cause instanceof YubikeyError) throw cause;
      throw new YubikeyError('STORE_FAILED', 'The counter store failed', { cause });
    }
  }

  private async accept(otp: Otp, opened: Opened): Promise<Decryption> {
    const { counters } = opened.token;
    const advance = await this.#counters.advance(otp.publicId, counters);
    if (!advance.advanced) return REPLAYED;
    // It may have been decrypted while the key was stored without its private ID.
    const candidate = await this.#counters.get(candidateOf(otp, opened));
    if (candidate && !isNewer(counters, candidate)) return REPLAYED;
    return decrypted(opened.token, true);
  }

  /** An OTP of a key whose private ID is not known. */
  private async consider(otp: Otp, opened: Opened): Promise<Decryption> {
    const { token } = opened;
    if (await this.isUsedUp(otp, token)) return REPLAYED;
    const candidate = await this.#counters.advance(candidateOf(otp, opened), token.counters);
    if (!candidate.advanced) return REPLAYED;
    // Another process, which knows the private ID already, may just be accepting it: it looks here once it has written.
    if (!candidate.previous) return (await this.isUsedUp(otp, token)) ? REPLAYED : decrypted(token, false);
    // Before the private ID is pinned: from then on, these counters alone refuse the OTPs up to this one.
    const { advanced } = await this.#counters.advance(otp.publicId, token.counters);
    if (!advanced) return REPLAYED;
    const pinning = await pinPrivateId(this.#keys, otp);
    const isPinned = pinning === 'PINNED' || pinning === 'ALREADY_PINNED';
    return isPinned ? decrypted(token, true) : { ok: false, reason: pinning };
  }

  private async isUsedUp({ publicId }: Otp, { counters }: Token): Promise<boolean> {
    const last = await this.#counters.get(publicId);
    return last !== undefined && !isNewer(counters, last);
  }
}

const REPLAYED = { ok: false, reason: 'REPLAYED_OTP' } as const;

function decrypted(
  { counters, capsLock }: { counters: Counters; capsLock: boolean },
  privateIdChecked: boolean,
): Decryption {
  return { ok: true, counters, capsLock, privateIdChecked };
}

/**
 * The row in the counter store of those OTPs of a key that share a private ID: no public ID, and without the AES key
 * it does not tell which private ID.
 */
function candidateOf({ publicId }: Otp, { key, token }: Opened): string {
  const digest = createHmac('sha256', key.aesKey).update(token.privateId).digest('hex');
  return `unpinned:${publicId}:${digest.slice(0, 32)}`;
}
