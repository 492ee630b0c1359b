import { YubikeyError } from 'passport-yubikey-otp';

/** Whether a record could be read, and what is sealed in it could not be opened. */
export function isUnopened(error: unknown): error is YubikeyError {
  return (
    error instanceof YubikeyError && (error.code === 'SEAL_BROKEN' || error.code === 'MASTER_KEY_UNKNOWN')
  );
}

/**
 * What to do about a record that does not open; where its master key is missing, the error says so itself. What is
 * deleted cannot be had back, so that comes last.
 */
export function remedyOf(error: YubikeyError, forget: string): string {
  return error.code === 'SEAL_BROKEN'
    ? `${error.message}. Give the master key file that it was stored with, or restore it from a backup; where there is neither, forget it: ${forget}`
    : `${error.message} to the master key file`;
}
