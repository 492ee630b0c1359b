import type { Command } from 'commander';
import { deleteRecords } from '../records/delete.js';
import { KEY } from './kind.js';

/** `yubikey-otp keys delete PUBLIC_ID…` */
export function addKeysDelete(parent: Command): void {
  parent
    .command('delete')
    .argument('<public-id...>', 'their public IDs')
    .description('forget the AES keys; their counters stay, so that no old OTP is ever accepted')
    .option('-y, --yes', 'do not ask')
    .action((ids: string[], _options: unknown, command: Command) => deleteRecords(KEY, ids, command));
}
