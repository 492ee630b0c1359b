import { YubikeyError } from '../errors.js';
import { KEYBOARD_LAYOUTS } from './keyboard.js';
import { isModhex, MODHEX_ALPHABET } from './modhex.js';

/** A well-formed one-time password: lower-case modhex, not yet verified. */
export interface Otp {
  /** The whole OTP, 32 to 48 letters. Secret until it has been verified. */
  readonly value: string;
  /** The letters before the token: 0 to 16, usually 12, and the same in every OTP of a key. */
  readonly publicId: string;
  /** The last 32 letters: one encrypted block. */
  readonly token: string;
}

export const TOKEN_LENGTH = 32;
export const MAX_PUBLIC_ID_LENGTH = 16;
const MAX_OTP_LENGTH = MAX_PUBLIC_ID_LENGTH + TOKEN_LENGTH;
/** Longer than any URL that a key's NFC tag can hold. The limit bounds the work for any input. */
const MAX_INPUT_LENGTH = 512;

const OTP = new RegExp(`^[${MODHEX_ALPHABET}]{${TOKEN_LENGTH},${MAX_OTP_LENGTH}}$`);

/** Immutable, so that `assertOtp` need not check it again. */
class ParsedOtp implements Otp {
  readonly publicId: string;
  readonly token: string;
  readonly #isParsed = true;

  constructor(readonly value: string) {
    this.publicId = value.slice(0, -TOKEN_LENGTH);
    this.token = value.slice(-TOKEN_LENGTH);
    Object.freeze(this);
  }

  static is(otp: unknown): boolean {
    return otp instanceof Object && #isParsed in otp && otp.#isParsed;
  }
}

/**
 * Reads an OTP as a person, a key or a phone sent it. This is the only place that normalises: it removes surrounding
 * white space, lower-cases capitals, takes the OTP out of an NFC URL (`https://my.yubico.com/yk/#…`, `…/neo/…`, or your
 * own prefix that ends in `/`, `#` or `=`), and undoes the keyboard layouts of `keyboard.ts`. Modhex stays as it is.
 * Any other text is read with the first layout that explains every character.
 *
 * @throws YubikeyError `OTP_MALFORMED` for any other input, including a value that is not a string. The message never
 * repeats the input.
 */
export function parseOtp(input: string): Otp {
  if (typeof input !== 'string') throw malformed('it is not a string');
  if (OTP.test(input)) return new ParsedOtp(input);
  if (input.length > MAX_INPUT_LENGTH) throw malformed('it is too long');
  const trimmed = input.trim();
  if (trimmed === '') throw malformed('it is empty');
  const value = trimmed.includes('://') ? readOtpFromUrl(trimmed) : undoKeyboardLayout(trimmed.toLowerCase());
  if (value === undefined) throw malformed('it contains characters that no YubiKey types');
  if (value.length < TOKEN_LENGTH || value.length > MAX_OTP_LENGTH) {
    throw malformed(`it has ${value.length} characters; an OTP has ${TOKEN_LENGTH} to ${MAX_OTP_LENGTH}`);
  }
  return new ParsedOtp(value);
}

/**
 * Checks that an OTP came from `parseOtp`, before it is sent to servers and stores.
 *
 * @throws TypeError for any other value.
 */
export function assertOtp(otp: Otp): void {
  if (ParsedOtp.is(otp)) return;
  // The OTP may come from another copy of this package.
  const { value, publicId, token } = (otp ?? {}) as Partial<Otp>;
  const wellFormed =
    typeof value === 'string' &&
    OTP.test(value) &&
    publicId === value.slice(0, -TOKEN_LENGTH) &&
    token === value.slice(-TOKEN_LENGTH);
  if (!wellFormed) throw new TypeError('An OTP must be the object that parseOtp() returned');
}

/** Whether the value can be the public ID of a key: 0 to 16 modhex letters. */
export function isPublicId(text: unknown): text is string {
  return typeof text === 'string' && text.length <= MAX_PUBLIC_ID_LENGTH && isModhex(text);
}

/** The part of a URL after its last delimiter. Phones read NFC tags directly, so no keyboard layout applies. */
function readOtpFromUrl(url: string): string | undefined {
  const value = url
    .slice(Math.max(...['/', '#', '='].map((mark) => url.lastIndexOf(mark))) + 1)
    .toLowerCase();
  return isModhex(value) ? value : undefined;
}

const LAYOUTS = KEYBOARD_LAYOUTS.map(
  ({ characters }) => new Map([...characters].map((typed, value) => [typed, MODHEX_ALPHABET.charAt(value)])),
);

function undoKeyboardLayout(typed: string): string | undefined {
  if (isModhex(typed)) return typed;
  const characters = [...typed];
  const layout = LAYOUTS.find((letters) => characters.every((character) => letters.has(character)));
  return layout && characters.map((character) => layout.get(character)).join('');
}

function malformed(why: string): YubikeyError {
  return new YubikeyError('OTP_MALFORMED', `Not a YubiKey OTP: ${why}`);
}
