import type { Command } from 'commander';
import { addRecordsDelete } from '../records/delete.js';
import { addRecordsList } from '../records/list.js';
import { addRecordsActivation } from '../records/set-active.js';
import { addClientsExport } from './export.js';
import { addClientsImport } from './import.js';
import { CLIENT } from './kind.js';
import { addClientsNew } from './new.js';

/** `yubikey-otp clients …` */
export function addClients(program: Command): void {
  const clients = program
    .command('clients')
    .description('manage the clients of a validation server and their API keys');
  addClientsNew(clients);
  addRecordsList(clients, CLIENT);
  addRecordsActivation(clients, CLIENT);
  addRecordsDelete(clients, CLIENT);
  addClientsImport(clients);
  addClientsExport(clients);
}
