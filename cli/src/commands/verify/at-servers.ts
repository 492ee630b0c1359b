import { CloudVerifier, type CloudVerifierOptions, type Otp } from 'passport-yubikey-otp';
import { readNamedFile } from '../../files/named-file.js';
import { readVariable } from '../../terminal/environment.js';
import { SetupError } from '../../terminal/failure.js';
import { warn } from '../../terminal/output.js';
import type { VerifyOptions } from './options.js';
import type { Verdict } from './verdict.js';

/**
 * Verifies at validation servers.
 *
 * @throws SetupError for options that cannot be used, YubikeyError if there is no verdict.
 */
export async function verifyAtServers(otp: Otp, options: VerifyOptions): Promise<Verdict> {
  const verifier = createVerifier(readServerSettings(options));
  try {
    return { verification: await verifier.verify(otp) };
  } finally {
    await verifier.close();
  }
}

function createVerifier(settings: CloudVerifierOptions): CloudVerifier {
  try {
    return new CloudVerifier(settings);
  } catch (error) {
    throw new SetupError(`The settings for the servers cannot be used: ${(error as Error).message}`);
  }
}

function readServerSettings({ url, clientId, apiKeyFile, ca, protocol, timeout }: VerifyOptions) {
  if (!clientId) {
    throw new SetupError(
      'Validation servers answer only the clients that they know: give --client-id, or set YUBIKEY_CLIENT_ID',
    );
  }
  const apiKey = readApiKey(apiKeyFile);
  if (apiKey === undefined) {
    warn(
      'Without an API key (YUBIKEY_API_KEY or --api-key-file), only TLS proves that the answer comes from the server',
    );
  }
  return {
    servers: url,
    clientId,
    ...(apiKey && { apiKey }),
    ca,
    protocol,
    timeout: parseTimeout(timeout),
  };
}

function parseTimeout(seconds: string): number {
  const milliseconds = /^\d{1,6}(\.\d{1,3})?$/.test(seconds) ? Math.round(Number(seconds) * 1000) : 0;
  if (milliseconds > 0) return milliseconds;
  throw new SetupError('--timeout takes seconds, such as 10');
}

function readApiKey(path: string | undefined): string | undefined {
  if (path === undefined) return readVariable('YUBIKEY_API_KEY');
  const advice = ': name another one with --api-key-file';
  const text = readNamedFile(path, `The API key file ${path}`, advice).toString().trim();
  if (text !== '') return text;
  throw new SetupError(`There is no API key in ${path}: the file must contain the API key in base64`);
}
