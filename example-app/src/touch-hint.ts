/** The token alone has 32 characters. */
const SHORTEST = 32;
const MODHEX = /^[cbdefghijklnrtuv]*$/i;

const PART = 'Only a part of it arrived: leave the cursor in the field until the key has finished.';
const OTHER_LAYOUT =
  'Your keyboard may have another layout than your key expects: switch it to English (US), and touch again.';

/** What may have gone wrong with a touch that was refused, told by nothing but what was typed. */
export function touchHint(typed: unknown): string | undefined {
  const otp = typeof typed === 'string' ? typed.trim() : '';
  if (otp === '' || otp.includes('://')) return undefined;
  if (otp.length < SHORTEST) return PART;
  return MODHEX.test(otp) ? undefined : OTHER_LAYOUT;
}
