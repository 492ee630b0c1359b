import { isPublicId } from 'passport-yubikey-otp/protocol';
import { SetupError } from '../terminal/failure.js';
import { readOtp } from '../terminal/otp-input.js';

/**
 * Parses a public ID from the command line. A whole OTP is refused, because others can read the command line, and the OTP
 * stays valid until it or a later one is used.
 *
 * @throws SetupError
 */
export function parsePublicId(text: string): string {
  if (isPublicId(text)) return text;
  const read = readOtp(text);
  throw new SetupError(
    'problem' in read
      ? 'A public ID has 0 to 16 of the letters cbdefghijklnrtuv, usually 12: the beginning of every OTP of the key'
      : `This is a whole OTP, which does not belong on a command line: give only its public ID, ${read.otp.publicId}`,
  );
}
