import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Otp } from '../otp/otp.js';
import { decryptToken, type Token } from '../otp/token.js';
import type { CounterStore, KeyStore, NewKey } from '../stores/store.js';
import { assertUsable, OtpOpener } from './open-otp.js';

/** The result of pinning the private ID of a key. */
export type Pinning = 'PINNED' | 'ALREADY_PINNED' | 'UNKNOWN_KEY' | 'CORRUPT_OTP' | 'REPLAYED_OTP';

/**
 * Stores the private ID of an OTP with its key, which was stored without one. From then on, the private ID of every
 * OTP is compared with it. The OTP must come from somebody who may enrol keys.
 *
 * Pinning first uses up the OTP and every OTP with that private ID that a KSM saw while the key was stored without it:
 * it raises the counters of the key to the highest of them. The result is `REPLAYED_OTP` for an OTP that was used or
 * seen before, and `UNKNOWN_KEY` for a disabled or missing key; then nothing is pinned.
 *
 * A key that has a private ID keeps it: the result is `ALREADY_PINNED` if it equals the OTP's, otherwise
 * `CORRUPT_OTP`. Pinning does not undo a simultaneous change to the key, such as disabling, deleting or sealing it.
 *
 * @throws YubikeyError `STORE_FAILED`, `KEY_UNUSABLE` if the stored key has the wrong length, and errors of the stores.
 * TypeError without stores.
 */
export async function pinPrivateId(
  keys: Pick<KeyStore, 'get' | 'replace'>,
  counters: Pick<CounterStore, 'advance'>,
  otp: Otp,
): Promise<Pinning> {
  if (typeof keys?.replace !== 'function') throw new TypeError('pinPrivateId requires a key store');
  if (typeof counters?.advance !== 'function') {
    throw new TypeError('pinPrivateId requires counters, such as the counters of a SqliteStore');
  }
  const opened = await new OtpOpener(keys).open(otp, (it) => it);
  if (!opened.ok) return opened.reason;
  const { key, token } = opened;
  // A KSM that does not see the pinning yet compares with the candidate row, so the OTP is used up there too.
  for (const row of [candidateRow(key, token), otp.publicId]) {
    if (!(await counters.advance(row, token.counters)).advanced) return 'REPLAYED_OTP';
  }
  return storePrivateId(keys, otp);
}

/**
 * Stores the private ID of an OTP that is used up already. A crash before leaves the key without a private ID, but no
 * OTP that could be used again.
 */
export async function storePrivateId(keys: Pick<KeyStore, 'get' | 'replace'>, otp: Otp): Promise<Pinning> {
  for (;;) {
    const key = await keys.get(otp.publicId);
    if (!key) return 'UNKNOWN_KEY';
    assertUsable(key);
    const privateId = decryptToken(otp.token, key.aesKey)?.privateId;
    if (!privateId) return 'CORRUPT_OTP';
    if (key.privateId) return timingSafeEqual(privateId, key.privateId) ? 'ALREADY_PINNED' : 'CORRUPT_OTP';
    if (await keys.replace(key, { privateId })) return 'PINNED';
  }
}

/**
 * The name of the row in the counter store that an OTP is compared with until its key is pinned: all OTPs of the key
 * with the same private ID share it. The name is not a public ID, and does not reveal the private ID without the AES
 * key.
 */
export function candidateRow(
  { publicId, aesKey }: Pick<NewKey, 'publicId' | 'aesKey'>,
  { privateId }: Pick<Token, 'privateId'>,
): string {
  const digest = createHmac('sha256', aesKey).update(privateId).digest('hex');
  return `unpinned:${publicId}:${digest.slice(0, 32)}`;
}

/** Uses up the OTPs with this private ID that a KSM saw while the key was stored without it, by raising its counters. */
export async function useUpSeenOtps(
  counters: Pick<CounterStore, 'advance' | 'get'>,
  key: Pick<NewKey, 'publicId' | 'aesKey'> & Pick<Token, 'privateId'>,
): Promise<void> {
  const seen = await counters.get(candidateRow(key, key));
  if (seen) await counters.advance(key.publicId, seen, undefined, seen.acceptedAt);
}
