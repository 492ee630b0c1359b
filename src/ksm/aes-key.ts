const AES_KEY_LENGTH = 16;

/**
 * Reads an AES key as tools print it: 32 hexadecimal digits, or base64 or base64url of 16 bytes, with or
 * without padding (KSM REST API, "AES Key").
 *
 * @throws TypeError, which does not repeat the key.
 */
export function parseAesKey(text: string): Buffer {
  if (typeof text !== 'string') throw notAnAesKey();
  if (/^[0-9a-f]{32}$/i.test(text)) return Buffer.from(text, 'hex');
  const alphabet = /[-_]/.test(text) ? 'base64url' : 'base64';
  const bytes = Buffer.from(text, alphabet);
  const isCanonical = bytes.toString(alphabet).replace(/=+$/, '') === text.replace(/==$/, '');
  if (bytes.length !== AES_KEY_LENGTH || !isCanonical) throw notAnAesKey();
  return bytes;
}

function notAnAesKey(): TypeError {
  return new TypeError('An AES key is 16 bytes, as 32 hexadecimal digits or in base64 or base64url');
}
