import { type Otp, parseOtp } from '../../otp/otp.js';

/** An OTP as a server sends it on: nothing is normalised. Undefined for anything else. */
export function strictOtp(text: unknown): Otp | undefined {
  try {
    const otp = parseOtp(text as string);
    return otp.value === text ? otp : undefined;
  } catch {
    return undefined;
  }
}
