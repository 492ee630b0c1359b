import type { Command } from 'commander';
import { listRecords } from '../records/list.js';
import { KEY } from './kind.js';

/** `yubikey-otp keys list` */
export function addKeysList(parent: Command): void {
  parent
    .command('list')
    .description('list the keys; needs no master key')
    .action((_options: unknown, command: Command) => listRecords(KEY, command));
}
