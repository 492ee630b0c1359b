import type { Command } from 'commander';
import { setActive } from './set-active.js';

/** `yubikey-otp keys disable PUBLIC_ID…` */
export function addKeysDisable(parent: Command): void {
  parent
    .command('disable')
    .argument('<public-id...>', 'public IDs, or OTPs of the keys')
    .description('accept no OTPs of these keys until they are enabled again; needs no master key')
    .action((ids: string[], _options: unknown, command: Command) => setActive(ids, false, command));
}
