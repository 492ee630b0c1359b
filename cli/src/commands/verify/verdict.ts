import type { Rejection, Verification } from 'passport-yubikey-otp';

export interface Verdict {
  readonly verification: Verification;
  /** What its refusal means here, where more is known than {@link MEANINGS} tells. */
  readonly meaning?: string | undefined;
}

/** What a refusal tells whoever tries a key. */
export const MEANINGS: Readonly<Record<Rejection, string>> = {
  BAD_OTP: 'the server does not know the key, or the key did not make this OTP',
  REPLAYED_OTP: 'this OTP, or a later one of the key, was used before: touch the key again',
  REPLAYED_REQUEST: 'the server got this very request before: touch the key again',
  DELAYED_OTP: 'this OTP was typed long before it was sent: touch the key again',
};
