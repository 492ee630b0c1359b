import type { Command } from 'commander';
import { MemoryStore } from 'passport-yubikey-otp/stores';
import { withSecrets } from '../../database/session.js';
import type { GlobalOptions } from '../../terminal/global-options.js';
import { dryRunRecords } from '../../transfer/dry-run.js';
import { importClient } from '../../transfer/import-records.js';
import { runImport } from '../../transfer/run-import.js';
import { type ClientEntry, parseYkvalClientsLine } from '../../transfer/ykval-clients.js';

/** `yubikey-otp clients import FILE…` */
export function addClientsImport(parent: Command): void {
  parent
    .command('import')
    .argument(
      '<file...>',
      'files of ykval-export-clients, output of ykval-gen-clients, or - for standard input',
    )
    .description('import the clients of a yubikey-val server')
    .option('--dry-run', 'show what the import would do, and write nothing')
    .action(async (files: string[], _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { dryRun?: boolean | undefined }>();
      const { dryRun = false, json = false } = options;
      await withSecrets(options, dryRun ? 'pretend' : 'create', async ({ database, clients: stored }) => {
        const store = dryRun
          ? dryRunRecords(stored, database.clients, new MemoryStore().clients, ({ id }) => id)
          : stored;
        await runImport<ClientEntry>({
          noun: 'clients',
          database,
          files,
          dryRun,
          json,
          chooseParser: () => parseYkvalClientsLine,
          toId: ({ id }) => id,
          apply: (entry) => importClient(store, entry),
        });
      });
    });
}
