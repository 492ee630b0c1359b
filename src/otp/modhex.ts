/** The modhex alphabet: the letters that stand for 0…f, chosen to be the same key on most keyboards. */
export const MODHEX_ALPHABET = 'cbdefghijklnrtuv';

const NONE = 0xff;
/** The value of a letter by its character code. */
const VALUES = new Uint8Array(0x1_0000).fill(NONE);
for (const [value, letter] of [...MODHEX_ALPHABET].entries()) VALUES[letter.charCodeAt(0)] = value;

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
  if (text.length % 2 !== 0) throw notModhex();
  const bytes = Buffer.alloc(text.length >> 1);
  decodeModhexInto(bytes, text);
  return bytes;
}

/** {@link decodeModhex} into bytes that are there: as many as the text has, else it throws too. */
export function decodeModhexInto(bytes: Uint8Array, text: string): void {
  if (text.length !== 2 * bytes.length) throw notModhex();
  let seen = 0;
  for (let at = 0; at < bytes.length; at++) {
    const high = VALUES[text.charCodeAt(2 * at)] as number;
    const low = VALUES[text.charCodeAt(2 * at + 1)] as number;
    seen |= high | low;
    bytes[at] = (high << 4) | low;
  }
  if (seen === NONE) throw notModhex();
}

function notModhex(): TypeError {
  return new TypeError(`Expected modhex: an even number of the letters ${MODHEX_ALPHABET}`);
}
