import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Otp } from '../otp/otp.js';
import { decryptToken, type Token } from '../otp/token.js';
import type { CounterStore, KeyStore, NewKey } from '../stores/store.js';
import { assertUsable, OtpOpener } from './open-otp.js';

/** What became of a key whose private ID was to be pinned. */
export type Pinning = 'PINNED' | 'ALREADY_PINNED' | 'UNKNOWN_KEY' | 'CORRUPT_OTP' | 'REPLAYED_OTP';

/**
 * Pins the private ID of a key that was stored without one to that of an OTP, which somebody gave who may enrol keys:
 * from then on it is compared.
 *
 * The OTP is used up first, and so is every OTP of that private ID which a KSM saw while the key was stored without
 * it: the counters of the key are raised to the highest of them. `REPLAYED_OTP` is an OTP that was used or seen
 * before; a key that is disabled or not there is `UNKNOWN_KEY`; then nothing is pinned.
 *
 * A key that has a private ID keeps it: `ALREADY_PINNED` where it is the OTP's, else `CORRUPT_OTP`. Whoever disables,
 * deletes or seals the key at the same moment is not undone.
 *
 * @throws YubikeyError `STORE_FAILED`, `KEY_UNUSABLE` for a stored key of the wrong length, and what the stores throw;
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
  // A KSM that has not heard of the pinning compares with this row, so the OTP is used up there too.
  for (const row of [candidateRow(key, token), otp.publicId]) {
    if (!(await counters.advance(row, token.counters)).advanced) return 'REPLAYED_OTP';
  }
  return storePrivateId(keys, otp);
}

/**
 * Stores the private ID of an OTP that is used up, so that a crash before leaves a key without one, and no OTP that
 * could be used again.
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
 * The row in the counter store of those OTPs of a key that share a private ID, while the key is stored without one:
 * what they are compared with until it is pinned. The row is no public ID, and without the AES key it does not tell
 * which private ID.
 */
export function candidateRow(
  { publicId, aesKey }: Pick<NewKey, 'publicId' | 'aesKey'>,
  { privateId }: Pick<Token, 'privateId'>,
): string {
  const digest = createHmac('sha256', aesKey).update(privateId).digest('hex');
  return `unpinned:${publicId}:${digest.slice(0, 32)}`;
}

/** Uses up what a KSM saw of a private ID while the key was stored without it: raises the counters of the key to it. */
export async function useUpSeenOtps(
  counters: Pick<CounterStore, 'advance' | 'get'>,
  key: Pick<NewKey, 'publicId' | 'aesKey'> & Pick<Token, 'privateId'>,
): Promise<void> {
  const seen = await counters.get(candidateRow(key, key));
  if (seen) await counters.advance(key.publicId, seen, undefined, seen.acceptedAt);
}
