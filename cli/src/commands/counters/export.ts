import type { Command } from 'commander';
import type { GlobalOptions } from '../../global-options.js';
import { isPublicId } from '../../modhex.js';
import { say } from '../../output.js';
import { withDatabase } from '../../session.js';
import { recordsOf } from '../../transfer/records-of.js';
import { formatYkvalLine } from '../../transfer/ykval.js';
import { writeLines } from '../write-lines.js';

/** `yubikey-otp counters export` */
export function addCountersExport(parent: Command): void {
  parent
    .command('export')
    .description('write all counters as ykval-import reads them')
    .option('-o, --output <file>', 'a new file (default: standard output)')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { output?: string }>();
      await withDatabase(options, 'refuse', async (database) => {
        async function* lines() {
          for await (const listed of recordsOf(database.counters)) {
            if (!isPublicId(listed.publicId)) continue;
            yield formatYkvalLine(listed, await database.keys.get(listed.publicId));
          }
        }
        say(`Wrote the counters of ${await writeLines(lines(), options.output)} keys`);
      });
    });
}
