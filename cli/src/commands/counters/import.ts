import type { Command } from 'commander';
import { warnUnlessDurable } from '../../database/database.js';
import { withDatabase } from '../../database/session.js';
import type { GlobalOptions } from '../../terminal/global-options.js';
import { dryRunActivation, dryRunCounters } from '../../transfer/dry-run.js';
import { importCounters } from '../../transfer/import-counters.js';
import { runImport } from '../../transfer/run-import.js';
import { type CountersEntry, parseYkvalLine } from '../../transfer/ykval.js';

/** `yubikey-otp counters import FILE…` */
export function addCountersImport(parent: Command): void {
  parent
    .command('import')
    .argument('<file...>', 'files of ykval-export, or - for standard input')
    .description('raise counters to those of a yubikey-val server; no counter is ever lowered')
    .option('--dry-run', 'show what the import would do, and write nothing')
    .addHelpText(
      'after',
      `
Import the keys first: keys that were deactivated there are disabled here, even if the rest of their line cannot be read.
A key that was enabled here after such an import stays active when the same file is imported again, and is reported.`,
    )
    .action(async (files: string[], _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { dryRun?: boolean | undefined }>();
      const { dryRun = false, json = false } = options;
      await withDatabase(options, dryRun ? 'pretend' : 'create', async (database) => {
        if (!dryRun) warnUnlessDurable(database);
        const target = dryRun
          ? { counters: dryRunCounters(database.counters), keys: dryRunActivation(database.keys) }
          : database;
        let disabled = 0;
        await runImport<CountersEntry>({
          noun: 'counters',
          database,
          files,
          dryRun,
          json,
          chooseParser: () => parseYkvalLine,
          endIsNotes: true,
          toId: ({ publicId }) => publicId,
          async apply(entry) {
            const outcome = await importCounters(target, entry);
            if (outcome.disabled) disabled += 1;
            return outcome;
          },
          remarks: () =>
            disabled === 0 ? [] : [`Keys that were deactivated there, and are disabled here: ${disabled}`],
        });
      });
    });
}
