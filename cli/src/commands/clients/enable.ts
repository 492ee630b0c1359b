import type { Command } from 'commander';
import { setActive } from '../records/set-active.js';
import { CLIENT } from './kind.js';

/** `yubikey-otp clients enable ID…` */
export function addClientsEnable(parent: Command): void {
  parent
    .command('enable')
    .argument('<id...>', 'client ids')
    .description('answer these clients again; needs no master key')
    .action((ids: string[], _options: unknown, command: Command) => setActive(CLIENT, ids, true, command));
}
