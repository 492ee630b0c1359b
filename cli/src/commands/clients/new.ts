import type { Command } from 'commander';
import { formatApiKey, isClientId } from 'passport-yubikey-otp/protocol';
import type { ClientStore } from 'passport-yubikey-otp/stores';
import { formatClientVariables, newApiKey } from '../../database/new-client.js';
import { withSecrets } from '../../database/session.js';
import { Refusal, SetupError } from '../../terminal/failure.js';
import type { GlobalOptions } from '../../terminal/global-options.js';
import { print, printJson, say } from '../../terminal/output.js';
import { readRecords } from '../../transfer/read-records.js';
import { parseClientId } from './kind.js';

interface Options extends GlobalOptions {
  id?: string | undefined;
  notes: string;
}

/** `yubikey-otp clients new` */
export function addClientsNew(parent: Command): void {
  parent
    .command('new')
    .description('make a client, and print its id and its new API key as environment variables')
    .option('--id <number>', 'the id of the new client (default: one more than the highest id)')
    .option('--notes <text>', 'a text that helps to tell clients apart', '')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const wanted = options.id === undefined ? undefined : parseClientId(options.id);
      const apiKey = newApiKey();
      await withSecrets(options, 'create', async ({ database, clients }) => {
        const add = (id: string) => clients.add({ id, apiKey, notes: options.notes });
        const id = wanted ?? (await addUnderNextId(database.clients, add));
        if (wanted !== undefined && !(await add(wanted))) {
          throw new Refusal(
            `The client ${wanted} is stored already; leave out --id to take the next free id`,
          );
        }
        await printNewClient(options, id, formatApiKey(apiKey));
      });
    });
}

/** If another process takes the id in the meantime, the next one is tried. */
async function addUnderNextId(clients: ClientStore, add: (id: string) => Promise<boolean>): Promise<string> {
  let highest = 0n;
  for await (const { id } of readRecords(clients)) if (BigInt(id) > highest) highest = BigInt(id);
  for (let id = highest + 1n; isClientId(String(id)); id++) {
    if (await add(String(id))) return String(id);
  }
  throw new SetupError('The highest client id is taken: choose a free one with --id');
}

async function printNewClient({ json }: Options, id: string, apiKey: string): Promise<void> {
  say(
    `Stored client ${id}. Its API key is secret and is shown only now; this is what its application needs:`,
  );
  if (json) await printJson({ id, apiKey });
  else await print(formatClientVariables(id, apiKey));
}
