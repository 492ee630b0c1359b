import type { Command } from 'commander';
import { setActive } from '../records/set-active.js';
import { CLIENT } from './kind.js';

/** `yubikey-otp clients disable ID…` */
export function addClientsDisable(parent: Command): void {
  parent
    .command('disable')
    .argument('<id...>', 'client ids')
    .description('answer these clients no more until they are enabled again; needs no master key')
    .action((ids: string[], _options: unknown, command: Command) => setActive(CLIENT, ids, false, command));
}
