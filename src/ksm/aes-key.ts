export const AES_KEY_LENGTH = 16;

/**
 * Reads an AES key as tools print it: 32 hexadecimal digits, or base64 or base64url of 16 bytes, with or
 * without padding (KSM REST API, "AES Key").
 *
 * @throws TypeError, which does not repeat the key.
 */
export function parseAesKey(text: string): Buffer {
  const bytes = decodeHexOrBase64(text);
  if (bytes?.length === AES_KEY_LENGTH) return bytes;
  throw new TypeError('An AES key is 16 bytes, as 32 hexadecimal digits or in base64 or base64url');
}

/**
 * Bytes of any number, where 32 hexadecimal digits are hexadecimal and all else is base64 or base64url. Undefined
 * for text that is neither, or not in its one spelling.
 */
export function decodeHexOrBase64(text: unknown): Buffer | undefined {
  if (typeof text !== 'string') return undefined;
  if (/^[0-9a-f]{32}$/i.test(text)) return Buffer.from(text, 'hex');
  const alphabet = /[-_]/.test(text) ? 'base64url' : 'base64';
  const bytes = Buffer.from(text, alphabet);
  const padding = '='.repeat((3 - (bytes.length % 3)) % 3);
  const unpadded = bytes.toString(alphabet).replace(/=+$/, '');
  return text === unpadded || text === unpadded + padding ? bytes : undefined;
}
