import type { Command } from 'commander';
import type { ClientRecord } from 'passport-yubikey-otp/stores';
import { withSecrets } from '../../database/session.js';
import type { GlobalOptions } from '../../terminal/global-options.js';
import { exportSecrets } from '../../transfer/export-secrets.js';
import { formatYkvalClientsLine } from '../../transfer/ykval-clients.js';

/** `yubikey-otp clients export` */
export function addClientsExport(parent: Command): void {
  parent
    .command('export')
    .description('write all clients with their API keys, in the format of ykval-import-clients')
    .option('-o, --output <file>', 'a new file that only its owner can read (default: standard output)')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { output?: string | undefined }>();
      await withSecrets(options, 'refuse', ({ database, clients }) =>
        exportSecrets({
          noun: 'clients',
          sealed: clients,
          raw: database.clients,
          toId: ({ id }) => id,
          formatLines: formatClientLines,
          output: options.output,
        }),
      );
    });
}

async function* formatClientLines(clients: AsyncIterable<ClientRecord>): AsyncGenerator<string> {
  for await (const client of clients) yield formatYkvalClientsLine(client);
}
