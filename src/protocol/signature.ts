import { createHmac, timingSafeEqual } from 'node:crypto';

/** The parameters of one message by name. Values are not URL-encoded. */
export type MessageParameters = ReadonlyMap<string, string>;

/**
 * The signature of a message of the validation protocol: HMAC-SHA-1, in base64, over every parameter except `h`, as
 * `k=v` joined by `&` and sorted by key (validation protocol 2.0, "Generating signatures").
 */
export function signParameters(parameters: MessageParameters, apiKey: Uint8Array): string {
  let message = '';
  for (const key of [...parameters.keys()].sort()) {
    if (key !== 'h') message += `${message && '&'}${key}=${parameters.get(key)}`;
  }
  return createHmac('sha1', apiKey).update(message).digest('base64');
}

/** Whether the parameters contain a signature. An empty or blank `h` does not count. */
export function isSigned(parameters: MessageParameters): boolean {
  return (parameters.get('h') ?? '').trim() !== '';
}

/** Whether `h` is the signature of the parameters with this key. Compares in constant time. */
export function isSignedWith(parameters: MessageParameters, apiKey: Uint8Array): boolean {
  const expected = Buffer.from(signParameters(parameters, apiKey));
  const actual = Buffer.from(parameters.get('h') ?? '');
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}

/**
 * Reads an API key as validation servers issue it: base64 with its padding, and not empty.
 *
 * @throws TypeError, which does not repeat the key.
 */
export function parseApiKey(apiKey: string): Buffer {
  const bytes = Buffer.from(String(apiKey), 'base64');
  if (bytes.length === 0 || bytes.toString('base64') !== apiKey) {
    throw new TypeError('apiKey must be the base64 text of the API key, with its padding and without blanks');
  }
  return bytes;
}
