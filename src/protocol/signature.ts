import { createHmac, timingSafeEqual } from 'node:crypto';

/** The parameters of one message by name. Values are not URL-encoded. */
export type MessageParameters = ReadonlyMap<string, string>;

/**
 * Signs a message of the validation protocol: HMAC-SHA-1, in base64, over every parameter except `h`, as `k=v` joined by
 * `&` and sorted by key (validation protocol 2.0, "Generating signatures"). With an empty API key, the signature proves
 * nothing: the reference server sends such signatures to unknown clients.
 */
export function signParameters(parameters: MessageParameters, apiKey: Uint8Array): string {
  let message = '';
  for (const key of [...parameters.keys()].sort()) {
    if (key !== 'h') message += `${message && '&'}${key}=${parameters.get(key)}`;
  }
  return createHmac('sha1', apiKey).update(message).digest('base64');
}

/** Whether the parameters contain a signature, which may be wrong. An empty or blank `h` does not count. */
export function isSigned(parameters: MessageParameters): boolean {
  return (parameters.get('h') ?? '').trim() !== '';
}

/**
 * Whether `h` is the signature of the parameters with this API key, in exactly the spelling of {@link signParameters}.
 * Compares in constant time, and returns false for a missing signature. Pass the parameters as they were received:
 * unknown ones are signed too.
 */
export function isSignedWith(parameters: MessageParameters, apiKey: Uint8Array): boolean {
  const expected = Buffer.from(signParameters(parameters, apiKey));
  const actual = Buffer.from(parameters.get('h') ?? '');
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}
