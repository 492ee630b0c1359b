import { createHmac } from 'node:crypto';
import type { Token } from '../otp/token.js';
import type { CounterStore, NewKey } from '../stores/store.js';

/**
 * The row in the counter store of those OTPs of a key that share a private ID, while the key is stored without one:
 * what they are compared with until it is pinned. The row is no public ID, and without the AES key it does not tell
 * which private ID.
 */
export function candidateOf(
  { publicId, aesKey }: Pick<NewKey, 'publicId' | 'aesKey'>,
  { privateId }: Pick<Token, 'privateId'>,
): string {
  const digest = createHmac('sha256', aesKey).update(privateId).digest('hex');
  return `unpinned:${publicId}:${digest.slice(0, 32)}`;
}

/** Uses up what a KSM saw of a private ID while the key was stored without it: raises the counters of the key to it. */
export async function useUpSeen(
  counters: Pick<CounterStore, 'advance' | 'get'>,
  key: Pick<NewKey, 'publicId' | 'aesKey'> & Pick<Token, 'privateId'>,
): Promise<void> {
  const seen = await counters.get(candidateOf(key, key));
  if (seen) await counters.advance(key.publicId, seen, undefined, seen.acceptedAt);
}
