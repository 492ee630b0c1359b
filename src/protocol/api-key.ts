import { decodeBase64 } from './base64.js';

/**
 * Reads an API key as validation servers issue it (https://upgrade.yubico.com/getapikey/): base64 with its padding,
 * without blanks, and not empty.
 *
 * @throws TypeError, which does not repeat the key.
 */
export function parseApiKey(text: string): Buffer {
  const bytes = decodeBase64(text);
  if (bytes !== undefined && bytes.length > 0) return bytes;
  throw new TypeError('apiKey must be the base64 text of the API key, with its padding and without blanks');
}

/** Writes an API key as {@link parseApiKey} reads it. */
export function formatApiKey(apiKey: Uint8Array): string {
  return Buffer.from(apiKey.buffer, apiKey.byteOffset, apiKey.byteLength).toString('base64');
}
