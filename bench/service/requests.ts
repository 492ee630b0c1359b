import { writeFileSync } from 'node:fs';
import { formatValidationRequest, parseOtp, VALIDATION_PATHS } from 'passport-yubikey-otp/protocol';
import type { Otps } from '../otps.js';

/** The client, with the shortest API key that every server accepts. */
export const CLIENT = { id: '1', apiKey: Buffer.from('a test key only') };

/** Writes fresh, signed requests to a file, one a line. */
export function writeRequests(path: string, otps: Otps, count: number): void {
  const lines = otps.takeForConnections(count).map((otp, at) => {
    const nonce = at.toString().padStart(32, '0');
    const request = { id: CLIENT.id, otp: parseOtp(otp), nonce };
    return `${VALIDATION_PATHS['2.0']}?${formatValidationRequest(request, CLIENT.apiKey)}`;
  });
  writeFileSync(path, `${lines.join('\n')}\n`);
}
