/** The statuses of validation protocol 2.0. Protocols 1.0 and 1.1 use some of them. */
export const STATUSES = [
  'OK',
  'BAD_OTP',
  'REPLAYED_OTP',
  'REPLAYED_REQUEST',
  'DELAYED_OTP',
  'BAD_SIGNATURE',
  'MISSING_PARAMETER',
  'NO_SUCH_CLIENT',
  'OPERATION_NOT_ALLOWED',
  'BACKEND_ERROR',
  'NOT_ENOUGH_ANSWERS',
] as const;

export type Status = (typeof STATUSES)[number];

/** Why an OTP was refused. */
export type Rejection = 'BAD_OTP' | 'REPLAYED_OTP' | 'REPLAYED_REQUEST' | 'DELAYED_OTP';

/** Statuses without a verdict: a fault of the request, the configuration or the server. */
export type FaultStatus = Exclude<Status, 'OK' | Rejection>;

export function isStatus(text: string | undefined): text is Status {
  return (STATUSES as readonly (string | undefined)[]).includes(text);
}

export function isRejection(status: Status): status is Rejection {
  return ['BAD_OTP', 'REPLAYED_OTP', 'REPLAYED_REQUEST', 'DELAYED_OTP'].includes(status);
}
