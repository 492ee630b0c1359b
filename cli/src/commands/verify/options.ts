import type { Command } from 'commander';
import { YUBICLOUD } from 'passport-yubikey-otp';
import { SetupError } from '../../terminal/failure.js';
import type { GlobalOptions } from '../../terminal/global-options.js';

export interface VerifyOptions extends GlobalOptions {
  readonly url?: string[] | undefined;
  readonly clientId?: string | undefined;
  readonly apiKeyFile?: string | undefined;
  readonly ca?: string | undefined;
  readonly protocol: '1.0' | '2.0';
  readonly timeout: string;
}

const FOR_SERVERS = {
  clientId: '--client-id',
  apiKeyFile: '--api-key-file',
  ca: '--ca',
  protocol: '--protocol',
  timeout: '--timeout',
};

/**
 * Refuses options for servers if no server is named: the caller did not mean the database.
 *
 * @throws SetupError
 */
export function assertServerOptions(command: Command, { url }: VerifyOptions): void {
  if (url) return;
  for (const [name, flag] of Object.entries(FOR_SERVERS)) {
    if (command.getOptionValueSource(name) !== 'cli') continue;
    throw new SetupError(
      `${flag} is for validation servers: name them with --url, such as --url ${YUBICLOUD[0]}`,
    );
  }
}
