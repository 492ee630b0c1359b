export const AES_KEY_LENGTH = 16;

/**
 * Reads an AES key as tools print it: 32 hexadecimal digits, or 16 bytes in base64 or base64url with or without
 * padding (KSM REST API, "AES Key").
 *
 * @throws TypeError whose message does not repeat the key.
 */
export function parseAesKey(text: string): Buffer {
  const bytes = decodeHexOrBase64(text);
  if (bytes?.length === AES_KEY_LENGTH) return bytes;
  throw new TypeError('An AES key is 16 bytes, as 32 hexadecimal digits or in base64 or base64url');
}

/**
 * Decodes any number of bytes: text of 32 hexadecimal digits as hexadecimal, any other text as base64 or base64url.
 * Returns undefined for other text, including a second spelling of the same bytes.
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
