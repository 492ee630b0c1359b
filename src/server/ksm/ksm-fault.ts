/** Error codes of the REST API, the HTTP status of each and what it says (KSM REST API, "Error Codes"). */
const CODES = {
  INVALID_OTP: [400, 'OTP format is invalid'],
  KEY_NOT_FOUND: [404, 'Key not found'],
  REPLAY_DETECTED: [409, 'OTP has already been used'],
  DECRYPTION_FAILED: [422, 'OTP decryption failed'],
  INVALID_JSON: [400, 'Request body contains invalid JSON'],
  MISSING_KEY_ID: [400, 'Key ID field is required'],
  MISSING_AES_KEY: [400, 'AES key field is required'],
  INVALID_KEY_ID_LENGTH: [400, 'Key ID must be exactly 12 characters'],
  INVALID_KEY_ID_FORMAT: [400, 'Key ID contains invalid modhex characters'],
  INVALID_AES_KEY_FORMAT: [400, 'AES key format is invalid (not hex or base64)'],
  INVALID_AES_KEY_LENGTH: [400, 'AES key must be exactly 16 bytes'],
  STORAGE_ERROR: [500, 'The database failed'],
  // The reference has no code for these.
  INVALID_PRIVATE_ID: [400, 'Private ID must be 12 hexadecimal digits'],
  INVALID_DESCRIPTION: [400, 'Description must be text of up to 1000 characters without control characters'],
  INVALID_PAGE: [400, 'limit must be 1 to 1000, and after a key ID'],
  KEY_EXISTS: [409, 'A key with this key ID exists already'],
  PRIVATE_ID_UNKNOWN: [422, 'The private ID of this key is not known yet: touch the key again'],
  // Only the KSM protocol says this.
  MISSING_OTP: [200, 'No OTP provided'],
} as const satisfies Record<string, readonly [number, string]>;

export type KsmFaultCode = keyof typeof CODES;

/** A refusal, under its code in the REST API. */
export class KsmFault extends Error {
  override readonly name = 'KsmFault';
  readonly status: number;

  constructor(readonly code: KsmFaultCode) {
    super(CODES[code][1]);
    this.status = CODES[code][0];
  }
}
