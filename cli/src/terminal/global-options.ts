import { type Command, Option } from 'commander';

/** The options of every command. */
export interface GlobalOptions {
  readonly db: string;
  readonly masterKeyFile?: string | undefined;
  readonly json?: boolean | undefined;
  readonly allowReplayAfterCrash?: boolean | undefined;
}

export const DEFAULT_DATABASE = './yubikey-otp.db';
/** Beside the default database. */
export const DEFAULT_MASTER_KEY_FILE = './yubikey-otp.master-key';

export function addGlobalOptions(program: Command): void {
  program
    .addOption(
      new Option('--db <where>', 'a SQLite file, or a postgres: or redis: URL')
        .env('YUBIKEY_DB')
        .default(DEFAULT_DATABASE),
    )
    .option(
      '--master-key-file <path>',
      `a file with the master keys, which encrypt the secrets (default: YUBIKEY_MASTER_KEY in the environment, else ${DEFAULT_MASTER_KEY_FILE})`,
    )
    .option('--json', 'print one JSON value instead of text')
    .option('--allow-replay-after-crash', 'use a database that can forget accepted OTPs when it crashes');
}
