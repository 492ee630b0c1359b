import { type Otp, parseOtp, YubikeyError } from 'passport-yubikey-otp';
import { askOnce } from './prompt.js';

/** The argument; for `-` or none, what is typed at the terminal, or the first line of standard input. */
export async function readOtpText(argument: string | undefined): Promise<string> {
  return argument === undefined || argument === '-' ? askOnce('Touch the YubiKey: ') : argument;
}

/** The OTP, or why the text is none, which does not repeat it. */
export function readOtp(text: string): { otp: Otp } | { problem: string } {
  try {
    return { otp: parseOtp(text) };
  } catch (error) {
    if (!(error instanceof YubikeyError)) throw error;
    return { problem: error.message };
  }
}
