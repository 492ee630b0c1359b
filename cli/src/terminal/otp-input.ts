import { type Otp, parseOtp, YubikeyError } from 'passport-yubikey-otp';
import { askOnce } from './prompt.js';

/** Returns the argument. For `-` or none, asks at the terminal, or reads a line of standard input. */
export async function readOtpText(argument: string | undefined): Promise<string> {
  return argument === undefined || argument === '-' ? askOnce('Touch the YubiKey: ') : argument;
}

/** Parses an OTP, or returns why the text is not an OTP, without repeating it. */
export function readOtp(text: string): { otp: Otp } | { problem: string } {
  try {
    return { otp: parseOtp(text) };
  } catch (error) {
    if (!(error instanceof YubikeyError)) throw error;
    return { problem: error.message };
  }
}
