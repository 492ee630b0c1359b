import { parseOtp, YubikeyError } from 'passport-yubikey-otp';
import { SetupError } from '../terminal/failure.js';
import { isPublicId } from './modhex.js';

/**
 * The public ID that somebody named on the command line, where no OTP belongs: others can read it there, and it
 * stays good until it or a later one is used.
 *
 * @throws SetupError
 */
export function parsePublicId(text: string): string {
  if (isPublicId(text)) return text;
  const meant = findPublicId(text);
  throw new SetupError(
    meant === undefined
      ? 'A public ID has 0 to 16 of the letters cbdefghijklnrtuv, usually 12: what every OTP of the key begins with'
      : `This is a whole OTP, which does not belong on a command line: give its public ID alone, ${meant}`,
  );
}

/** A public ID as it is written on a command line, where the empty one would be nothing. */
export function quotePublicId(publicId: string): string {
  return publicId || "''";
}

function findPublicId(text: string): string | undefined {
  try {
    return parseOtp(text).publicId;
  } catch (error) {
    if (error instanceof YubikeyError) return undefined;
    throw error;
  }
}
