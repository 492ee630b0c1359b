import type { Command } from 'commander';
import { addMasterKeyNew } from './new.js';

/** `yubikey-otp master-key …` */
export function addMasterKey(program: Command): void {
  addMasterKeyNew(program.command('master-key').description('the keys that seal secrets in the database'));
}
