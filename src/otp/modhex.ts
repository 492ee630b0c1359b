/** The modhex alphabet: the letters that stand for 0…f, chosen to be the same key on most keyboards. */
export const MODHEX_ALPHABET = 'cbdefghijklnrtuv';

const VALUES = new Map([...MODHEX_ALPHABET].map((letter, value) => [letter, value]));

/** Whether the text is made of modhex letters only, lower case; the empty text is. */
export function isModhex(text: string): boolean {
  return /^[cbdefghijklnrtuv]*$/.test(text);
}

/** Writes bytes as modhex, two letters a byte. */
export function encodeModhex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += MODHEX_ALPHABET.charAt(byte >> 4) + MODHEX_ALPHABET.charAt(byte & 15);
  return text;
}

/**
 * Reads modhex, two lower-case letters a byte, in the one spelling `encodeModhex` writes.
 *
 * @throws TypeError on an odd length or any other character.
 */
export function decodeModhex(text: string): Buffer {
  const bytes = Buffer.alloc(text.length >> 1);
  for (let at = 0; at < bytes.length; at++) {
    const high = VALUES.get(text.charAt(2 * at));
    const low = VALUES.get(text.charAt(2 * at + 1));
    if (high === undefined || low === undefined) throw notModhex();
    bytes[at] = (high << 4) | low;
  }
  if (text.length % 2 !== 0) throw notModhex();
  return bytes;
}

function notModhex(): TypeError {
  return new TypeError(`Expected modhex: an even number of the letters ${MODHEX_ALPHABET}`);
}
