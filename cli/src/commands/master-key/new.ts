import type { Command } from 'commander';
import { newMasterKey } from 'passport-yubikey-otp/stores';
import { SetupError } from '../../failure.js';
import { print } from '../../output.js';

/** `yubikey-otp master-key new` */
export function addMasterKeyNew(masterKey: Command): void {
  masterKey
    .command('new')
    .description('print a new master key, fit for the master key file')
    .option('--id <id>', 'its name, 1 to 32 letters, digits, - or _', new Date().toISOString().slice(0, 10))
    .addHelpText('after', '\n  $ (umask 077; yubikey-otp master-key new > master.key)')
    .action(async ({ id }: { id: string }) => {
      if (!/^[A-Za-z0-9_-]{1,32}$/.test(id))
        throw new SetupError('--id takes 1 to 32 letters, digits, - or _');
      await print(`${id}:${newMasterKey().toString('base64')}\n`);
    });
}
