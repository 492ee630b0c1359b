import type { Command } from 'commander';
import { addClientsExport } from './export.js';
import { addClientsImport } from './import.js';

/** `yubikey-otp clients …` */
export function addClients(program: Command): void {
  const clients = program
    .command('clients')
    .description('the clients of a validation server and their API keys');
  addClientsImport(clients);
  addClientsExport(clients);
}
