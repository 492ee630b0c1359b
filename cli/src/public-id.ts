import { parseOtp, YubikeyError } from 'passport-yubikey-otp';
import { SetupError } from './failure.js';
import { isPublicId } from './modhex.js';

/**
 * The public ID that somebody named: itself, or what the key types when it is touched.
 *
 * @throws SetupError
 */
export function publicIdOf(text: string): string {
  if (isPublicId(text)) return text;
  try {
    return parseOtp(text).publicId;
  } catch (error) {
    if (!(error instanceof YubikeyError)) throw error;
    throw new SetupError(
      'A public ID has 0 to 16 of the letters cbdefghijklnrtuv, usually 12; touch the key to have it typed',
    );
  }
}
