/** The versions of the validation protocol. */
export type ProtocolVersion = '1.0' | '1.1' | '2.0';

/** The path of each version at a validation server (validation protocol 2.0, "Request"). */
export const VALIDATION_PATHS = {
  '2.0': '/wsapi/2.0/verify',
  '1.1': '/wsapi/1.1/verify',
  '1.0': '/wsapi/verify',
} as const satisfies Record<ProtocolVersion, string>;

/** The path of each protocol at a KSM, without the slash that may follow (OTP decryption protocol; KSM REST API). */
export const KSM_PATHS = { wsapi: '/wsapi/decrypt', rest: '/api/v1/decrypt' } as const;
