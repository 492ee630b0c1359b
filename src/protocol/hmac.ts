import { hash } from 'node:crypto';

const BLOCK_LENGTH = 64;
const DIGEST_LENGTH = 20;

/**
 * HMAC-SHA-1 (RFC 2104) in base64, the same that `createHmac` gives. For the short messages here, that takes longer to
 * set up than to compute; two hashes in one call each need no setting up.
 */
export function hmacSha1(key: Uint8Array, message: string): string {
  const short = key.length > BLOCK_LENGTH ? hash('sha1', key, 'buffer') : key;
  const inner = Buffer.allocUnsafe(BLOCK_LENGTH + Buffer.byteLength(message));
  const outer = Buffer.allocUnsafe(BLOCK_LENGTH + DIGEST_LENGTH);
  for (let at = 0; at < BLOCK_LENGTH; at++) {
    const byte = at < short.length ? (short[at] as number) : 0;
    inner[at] = byte ^ 0x36;
    outer[at] = byte ^ 0x5c;
  }
  inner.write(message, BLOCK_LENGTH);
  outer.write(hash('sha1', inner, 'binary'), BLOCK_LENGTH, 'binary');
  return hash('sha1', outer, 'base64');
}
