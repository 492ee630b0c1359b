import { isModhex } from 'passport-yubikey-otp/protocol';

/** The token alone has 32 characters. */
const SHORTEST = 32;

const PART = 'Only part of it arrived: leave the cursor in the field until the key has finished.';
const OTHER_LAYOUT =
  'Your keyboard layout may differ from the one your key expects: switch it to English (US), and touch the key again.';

/** Explains a refused touch as far as the typed text reveals what went wrong. */
export function touchHint(typed: unknown): string | undefined {
  const otp = typeof typed === 'string' ? typed.trim() : '';
  if (otp === '' || otp.includes('://')) return undefined;
  if (otp.length < SHORTEST) return PART;
  return isModhex(otp.toLowerCase()) ? undefined : OTHER_LAYOUT;
}
