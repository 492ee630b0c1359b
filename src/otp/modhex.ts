/** The modhex alphabet: letters for the digits 0 to f, whose keys are the same on most keyboard layouts. */
export const MODHEX_ALPHABET = 'cbdefghijklnrtuv';

const NONE = 0xff;
/** The value of a letter by its character code. */
const VALUES = new Uint8Array(0x1_0000).fill(NONE);
for (const [value, letter] of [...MODHEX_ALPHABET].entries()) VALUES[letter.charCodeAt(0)] = value;

const MODHEX = new RegExp(`^[${MODHEX_ALPHABET}]*$`);

/**
 * Whether a value is text of lower-case modhex letters only (Yubico, "OTPs explained", "Modified hexadecimal
 * encoding"). True for the empty text, and for an odd number of letters, which a public ID may have.
 */
export function isModhex(text: unknown): text is string {
  return typeof text === 'string' && MODHEX.test(text);
}

/**
 * Writes bytes as modhex, two letters per byte: `encodeModhex(Buffer.from('2d34', 'hex'))` is `dteg`.
 *
 * @throws TypeError for a value that is not bytes.
 */
export function encodeModhex(bytes: Uint8Array): string {
  if (!(bytes instanceof Uint8Array)) throw new TypeError('encodeModhex takes bytes (Uint8Array)');
  let text = '';
  for (const byte of bytes) text += MODHEX_ALPHABET.charAt(byte >> 4) + MODHEX_ALPHABET.charAt(byte & 15);
  return text;
}

/**
 * Reads modhex as {@link encodeModhex} writes it: two lower-case letters per byte. What people type may differ, by
 * capitals and keyboard layouts: `parseOtp` reads that.
 *
 * @throws TypeError for a value that is not text, an odd number of letters, or any other character. It does not repeat
 * the text, which may be secret.
 */
export function decodeModhex(text: string): Buffer {
  if (typeof text !== 'string') throw notModhex();
  return decodeModhexInto(Buffer.alloc(text.length >> 1), text);
}

/** Fills bytes with what {@link decodeModhex} returns. @throws TypeError, also if the length of the text does not match. */
export function decodeModhexInto(bytes: Buffer, text: string): Buffer {
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
