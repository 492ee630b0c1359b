import type { Command } from 'commander';
import { isMasterKeyId } from 'passport-yubikey-otp/stores';
import { formatNewMasterKey } from '../database/master-key.js';
import { SetupError } from '../terminal/failure.js';
import { print } from '../terminal/output.js';

/** `yubikey-otp master-key new` */
export function addMasterKey(program: Command): void {
  program
    .command('master-key')
    .description('make the master keys that encrypt the secrets in the database')
    .command('new')
    .description('print a new master key as a line for the master key file')
    .option('--id <id>', "the id of the master key: 1 to 32 letters, digits, - or _ (default: today's date)")
    .addHelpText('after', '\n  $ (umask 077; set -C; yubikey-otp master-key new > master.key)')
    .action(async ({ id }: { id?: string | undefined }) => {
      if (id !== undefined && !isMasterKeyId(id))
        throw new SetupError('--id takes 1 to 32 letters, digits, - or _');
      await print(formatNewMasterKey(id));
    });
}
