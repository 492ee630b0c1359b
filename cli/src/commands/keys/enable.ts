import type { Command } from 'commander';
import { setActive } from './set-active.js';

/** `yubikey-otp keys enable PUBLIC_ID…` */
export function addKeysEnable(parent: Command): void {
  parent
    .command('enable')
    .argument('<public-id...>', 'public IDs, or OTPs of the keys')
    .description('accept OTPs of these keys again; needs no master key')
    .action((ids: string[], _options: unknown, command: Command) => setActive(ids, true, command));
}
