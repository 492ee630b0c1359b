import type { Server as HttpsServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import { readNamedFile } from '../files/named-file.js';
import { SetupError } from '../terminal/failure.js';
import type { Log } from './logs.js';
import type { Settings } from './settings/serve-settings.js';

export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/**
 * Reads the certificate and its key, if given, and checks that they belong together.
 *
 * @throws SetupError, whose message repeats nothing of either.
 */
export function readCertificate({ tlsCert, tlsKey }: Settings): Certificate | undefined {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  const certificate = {
    cert: readNamedFile(tlsCert, `--tls-cert: ${tlsCert}`),
    key: readNamedFile(tlsKey, `--tls-key: ${tlsKey}`),
  };
  try {
    createSecureContext(certificate);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SetupError(
      `${tlsCert} and ${tlsKey} are not a certificate and its key, both in PEM without a password (${code})`,
    );
  }
  return certificate;
}

/** Loads a renewed certificate on SIGHUP; open connections keep the old one. */
export function reloadOnHangup(servers: readonly HttpsServer[], settings: Settings, log: Log): void {
  process.on('SIGHUP', () => {
    try {
      const certificate = readCertificate(settings);
      for (const server of servers) if (certificate) server.setSecureContext(certificate);
      log.info('loaded the new certificate');
    } catch (error) {
      log.error({ reason: (error as Error).message }, 'kept the old certificate');
    }
  });
}
