import type { Command } from 'commander';
import { addClientsDelete } from './delete.js';
import { addClientsDisable } from './disable.js';
import { addClientsEnable } from './enable.js';
import { addClientsExport } from './export.js';
import { addClientsImport } from './import.js';
import { addClientsList } from './list.js';
import { addClientsNew } from './new.js';

/** `yubikey-otp clients …` */
export function addClients(program: Command): void {
  const clients = program
    .command('clients')
    .description('the clients of a validation server and their API keys');
  addClientsNew(clients);
  addClientsList(clients);
  addClientsDisable(clients);
  addClientsEnable(clients);
  addClientsDelete(clients);
  addClientsImport(clients);
  addClientsExport(clients);
}
