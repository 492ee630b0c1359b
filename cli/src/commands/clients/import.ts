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
      'files of ykval-export-clients, or what ykval-gen-clients printed; - is standard input',
    )
    .description('store the clients of a yubikey-val server')
    .option('--dry-run', 'tell what would happen, and write nothing')
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
          parserFor: () => parseYkvalClientsLine,
          toId: ({ id }) => id,
          apply: (entry) => importClient(store, entry),
        });
      });
    });
}
