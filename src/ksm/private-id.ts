export const PRIVATE_ID_LENGTH = 6;

/**
 * Reads a private ID as tools print it: 12 hexadecimal digits.
 *
 * @throws TypeError whose message does not repeat the private ID, which is secret.
 */
export function parsePrivateId(text: string): Buffer {
  if (typeof text === 'string' && /^[0-9a-f]{12}$/i.test(text)) return Buffer.from(text, 'hex');
  throw new TypeError(
    `A private ID is ${PRIVATE_ID_LENGTH} bytes, as ${2 * PRIVATE_ID_LENGTH} hexadecimal digits`,
  );
}
