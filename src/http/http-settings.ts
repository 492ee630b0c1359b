import { readFileSync } from 'node:fs';
import type { Dispatcher } from 'undici';

/** @throws TypeError that names the option and the values it takes. */
export function checkMilliseconds(name: string, value: number): number {
  if (!Number.isInteger(value) || value < 1 || value > 2 ** 31 - 1) {
    throw new TypeError(`${name} must be a whole number of milliseconds, 1 or more`);
  }
  return value;
}

/** @throws TypeError */
export function assertDispatcher(dispatcher: Dispatcher | undefined, ca: string | undefined): void {
  if (dispatcher !== undefined && typeof dispatcher.dispatch !== 'function') {
    throw new TypeError('dispatcher must be an undici dispatcher');
  }
  if (dispatcher && ca !== undefined) {
    throw new TypeError('ca has no effect together with dispatcher: configure the dispatcher instead');
  }
}

/** Returns the PEM text for the option `ca`, which may be the path of a file. @throws TypeError */
export function readCertificates(ca: string): string {
  const pem = ca.includes('-----BEGIN') ? ca : readPemFile(ca);
  if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
  throw new TypeError('ca must be PEM text or the path of a PEM file, and must contain a certificate');
}

function readPemFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new TypeError(`ca must be PEM text or the path of a PEM file: ${(cause as Error).message}`, {
      cause,
    });
  }
}
