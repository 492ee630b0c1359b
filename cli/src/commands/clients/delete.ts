import type { Command } from 'commander';
import { deleteRecords } from '../records/delete.js';
import { CLIENT } from './kind.js';

/** `yubikey-otp clients delete ID…` */
export function addClientsDelete(parent: Command): void {
  parent
    .command('delete')
    .argument('<id...>', 'client ids')
    .description('forget clients and their API keys; needs no master key')
    .option('-y, --yes', 'do not ask')
    .action((ids: string[], _options: unknown, command: Command) => deleteRecords(CLIENT, ids, command));
}
