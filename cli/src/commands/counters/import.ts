import type { Command } from 'commander';
import { warnUnlessDurable } from '../../database.js';
import type { GlobalOptions } from '../../global-options.js';
import { withDatabase } from '../../session.js';
import { dryRunOfActive, dryRunOfCounters } from '../../transfer/dry-run.js';
import { importCounters } from '../../transfer/import-counters.js';
import { type CountersEntry, parseYkvalLine } from '../../transfer/ykval.js';
import { runImport } from '../run-import.js';

/** `yubikey-otp counters import FILE…` */
export function addCountersImport(parent: Command): void {
  parent
    .command('import')
    .argument('<file...>', 'files of ykval-export; - is standard input')
    .description('raise counters to those of a yubikey-val server; none is ever lowered')
    .option('--dry-run', 'tell what would happen, and write nothing')
    .addHelpText(
      'after',
      `
Import the keys first: those that were deactivated there are disabled here. Where the counters in the file are no news
and the key is active here, it was enabled since: it stays active, and is reported.`,
    )
    .action(async (files: string[], _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { dryRun?: boolean }>();
      const { dryRun = false, json = false } = options;
      await withDatabase(options, dryRun ? 'pretend' : 'create', async (database) => {
        if (!dryRun) warnUnlessDurable(database);
        const target = dryRun
          ? { counters: dryRunOfCounters(database.counters), keys: dryRunOfActive(database.keys) }
          : database;
        await runImport<CountersEntry>({
          noun: 'counters',
          database,
          files,
          dryRun,
          json,
          parserFor: () => parseYkvalLine,
          idOf: ({ publicId }) => publicId,
          apply: (entry) => importCounters(target, entry),
        });
      });
    });
}
