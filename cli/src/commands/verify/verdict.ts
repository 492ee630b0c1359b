import type { Rejection, Verification } from 'passport-yubikey-otp';

export interface Verdict {
  readonly verification: Verification;
  /** What the refusal means in this case, if more is known than {@link MEANINGS} tells. */
  readonly meaning?: string | undefined;
}

/** What a refusal means to the person who tries a key. */
export const MEANINGS: Readonly<Record<Rejection, string>> = {
  BAD_OTP: 'the server does not know the key, or the key did not make this OTP',
  REPLAYED_OTP: 'this OTP, or a later one of the key, was used before: touch the key again',
  REPLAYED_REQUEST: 'the server received this request before: touch the key again',
  DELAYED_OTP: 'this OTP was typed long before it was sent: touch the key again',
};
