import type { Command } from 'commander';
import { addKeysAdd } from './add.js';
import { addKeysDelete } from './delete.js';
import { addKeysDisable } from './disable.js';
import { addKeysEnable } from './enable.js';
import { addKeysExport } from './export.js';
import { addKeysImport } from './import.js';
import { addKeysList } from './list.js';
import { addKeysNew } from './new.js';
import { addKeysPin } from './pin.js';
import { addKeysReseal } from './reseal.js';
import { addKeysShow } from './show.js';

/** `yubikey-otp keys …` */
export function addKeys(program: Command): void {
  const keys = program.command('keys').description('the AES keys of YubiKeys');
  addKeysNew(keys);
  addKeysAdd(keys);
  addKeysPin(keys);
  addKeysList(keys);
  addKeysShow(keys);
  addKeysDisable(keys);
  addKeysEnable(keys);
  addKeysDelete(keys);
  addKeysImport(keys);
  addKeysExport(keys);
  addKeysReseal(keys);
}
