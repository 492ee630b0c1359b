import { YubikeyError } from 'passport-yubikey-otp';

/** Whether the error means that a record was read but its sealed secrets did not open. */
export function isUnopened(error: unknown): error is YubikeyError {
  return (
    error instanceof YubikeyError && (error.code === 'SEAL_BROKEN' || error.code === 'MASTER_KEY_UNKNOWN')
  );
}

/**
 * Advises what to do about a record that does not open. If its master key is missing, the error says so itself. Deleting
 * comes last, since a deleted record cannot be recovered.
 */
export function adviseOnUnopened(error: YubikeyError, forget: string): string {
  return error.code === 'SEAL_BROKEN'
    ? `${error.message}. Give the master key file that it was stored with, or restore it from a backup; if neither exists, delete it: ${forget}`
    : `${error.message} to the master key file`;
}
