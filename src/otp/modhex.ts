/** The modhex alphabet: letters for the digits 0 to f, whose keys are the same on most keyboard layouts. */
export const MODHEX_ALPHABET = 'cbdefghijklnrtuv';

const NONE = 0xff;
/** The value of a letter by its character code. */
const VALUES = new Uint8Array(0x1_0000).fill(NONE);
for (const [value, letter] of [...MODHEX_ALPHABET].entries()) VALUES[letter.charCodeAt(0)] = value;

/** Whether the text consists of lower-case modhex letters only. True for the empty text. */
export function isModhex(text: string): boolean {
  return /^[cbdefghijklnrtuv]*$/.test(text);
}

/** Writes bytes as modhex, two letters per byte. */
export function encodeModhex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += MODHEX_ALPHABET.charAt(byte >> 4) + MODHEX_ALPHABET.charAt(byte & 15);
  return text;
}

/**
 * Reads modhex as `encodeModhex` writes it: two lower-case letters per byte. Fills `bytes` if given, whose length
 * must match the text.
 *
 * @throws TypeError for an odd length, a length that does not match `bytes`, or any other character.
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
