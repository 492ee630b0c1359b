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
 * Reads modhex, two lower-case letters a byte, in the one spelling `encodeModhex` writes; into bytes that are there
 * already, where they are given: as many as the text has.
 *
 * @throws TypeError on an odd length, another length than that of `bytes`, or any other character.
 */
export function decodeModhex(text: string, bytes: Buffer = Buffer.alloc(text.length >> 1)): Buffer {
  if (text.length !== 2 * bytes.length) throw notModhex();
  let seen = 0;
  for (let at = 0; at < bytes.length; at++) {
    const high = VALUES[text.charCodeAt(2 * at)] as number;
    const low = VALUES[text.charCodeAt(2 * at + 1)] as number;
    seen |= high | low;
    bytes[at] = (high << 4) | low;
  }
  if (seen === NONE) throw notModhex();
  return bytes;
}

function notModhex(): TypeError {
  return new TypeError(`Expected modhex: an even number of the letters ${MODHEX_ALPHABET}`);
}
