import { randomBytes } from 'node:crypto';
import { isNonce } from '../protocol/validation-request.js';

/** A fresh nonce: 32 hexadecimal digits, 128 random bits. */
export function newNonce(): string {
  return randomBytes(16).toString('hex');
}

/** @throws TypeError */
export function assertNonce(nonce: string): void {
  if (!isNonce(nonce)) throw new TypeError('nonce must be 16 to 40 letters and digits');
}
