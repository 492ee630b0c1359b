import { TokenDecipher } from '../otp/token.js';
import type { KeyRecord } from '../stores/store.js';

/** How many ciphers are kept, of about 1.5 kB each. */
const MAX_CIPHERS = 2_000;

interface Kept {
  readonly aesKey: Uint8Array;
  readonly decipher: TokenDecipher;
}

/**
 * A cache of the most recently created ciphers. A cipher is reused only if the key's record, as just read, still has
 * the AES key that the cipher was created with.
 */
export class TokenDeciphers {
  readonly #kept = new Map<string, Kept>();

  findOrCreate({ publicId, aesKey }: Pick<KeyRecord, 'publicId' | 'aesKey'>): TokenDecipher {
    const kept = this.#kept.get(publicId);
    if (kept && isSame(kept.aesKey, aesKey)) return kept.decipher;
    const decipher = new TokenDecipher(aesKey);
    this.#kept.delete(publicId);
    this.#kept.set(publicId, { aesKey: Uint8Array.from(aesKey), decipher });
    if (this.#kept.size > MAX_CIPHERS) this.#forgetOldest();
    return decipher;
  }

  forget(publicId: string): void {
    this.#kept.delete(publicId);
  }

  forgetAll(): void {
    this.#kept.clear();
  }

  #forgetOldest(): void {
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined) this.#kept.delete(oldest);
  }
}

/** Not in constant time, because neither value comes from a client. */
function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}
