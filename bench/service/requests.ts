import { writeFileSync } from 'node:fs';
import { formatValidationRequest } from '../../src/protocol/validation-request.js';
import type { Otps } from '../otps.js';

/** The client, with the shortest API key that every server accepts. */
export const CLIENT = { id: '1', apiKey: Buffer.from('a test key only') };

/** Writes fresh, signed requests to a file, one a line. */
export function writeRequests(path: string, otps: Otps, count: number): void {
  const lines = otps.takeForConnections(count).map((otp, at) => {
    const nonce = at.toString().padStart(32, '0');
    return `/wsapi/2.0/verify?${formatValidationRequest({ id: CLIENT.id, otp, nonce }, CLIENT.apiKey)}`;
  });
  writeFileSync(path, `${lines.join('\n')}\n`);
}
