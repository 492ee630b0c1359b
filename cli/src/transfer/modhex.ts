const ALPHABET = 'cbdefghijklnrtuv';

/** Encodes bytes as modhex, two letters a byte. */
export function encodeModhex(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/./g, (digit) => ALPHABET.charAt(Number.parseInt(digit, 16)));
}

/** Converts modhex to hexadecimal, one digit a letter. */
export function modhexToHex(letters: string): string {
  return letters.replace(/./g, (letter) => ALPHABET.indexOf(letter).toString(16));
}

/** Whether the text can be a public ID: 0 to 16 modhex letters. */
export function isPublicId(text: string): boolean {
  return /^[cbdefghijklnrtuv]{0,16}$/.test(text);
}
