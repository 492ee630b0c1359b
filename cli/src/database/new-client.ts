import { randomBytes } from 'node:crypto';

/** The length of an HMAC-SHA-1, and of the API keys that the reference server makes. */
const API_KEY_LENGTH = 20;

export function newApiKey(): Buffer {
  return randomBytes(API_KEY_LENGTH);
}

/** Writes what an application needs as environment variables, one a line. Secret. */
export function formatClientVariables(id: string, apiKey: string): string {
  return `YUBIKEY_CLIENT_ID=${id}\nYUBIKEY_API_KEY=${apiKey}\n`;
}
