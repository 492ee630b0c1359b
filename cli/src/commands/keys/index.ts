import type { Command } from 'commander';
import { addRecordsDelete } from '../records/delete.js';
import { addRecordsList } from '../records/list.js';
import { addRecordsActivation } from '../records/set-active.js';
import { addKeysAdd } from './add.js';
import { addKeysExport } from './export.js';
import { addKeysImport } from './import.js';
import { KEY } from './kind.js';
import { addKeysNew } from './new.js';
import { addKeysPin } from './pin.js';
import { addKeysReseal } from './reseal.js';
import { addKeysShow } from './show.js';

/** `yubikey-otp keys …` */
export function addKeys(program: Command): void {
  const keys = program.command('keys').description('manage the AES keys of YubiKeys');
  addKeysNew(keys);
  addKeysAdd(keys);
  addKeysPin(keys);
  addRecordsList(keys, KEY);
  addKeysShow(keys);
  addRecordsActivation(keys, KEY);
  addRecordsDelete(keys, KEY);
  addKeysImport(keys);
  addKeysExport(keys);
  addKeysReseal(keys);
}
