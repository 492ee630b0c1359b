import type { Command } from 'commander';
import { listRecords } from '../records/list.js';
import { CLIENT } from './kind.js';

/** `yubikey-otp clients list` */
export function addClientsList(parent: Command): void {
  parent
    .command('list')
    .description('list the clients; needs no master key')
    .action((_options: unknown, command: Command) => listRecords(CLIENT, command));
}
