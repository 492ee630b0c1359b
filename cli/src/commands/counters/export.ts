import type { Command } from 'commander';
import { isPublicId } from 'passport-yubikey-otp/protocol';
import { withDatabase } from '../../database/session.js';
import { writeLines } from '../../files/write-lines.js';
import type { GlobalOptions } from '../../terminal/global-options.js';
import { say } from '../../terminal/output.js';
import { readRecords } from '../../transfer/read-records.js';
import { formatYkvalLine } from '../../transfer/ykval.js';

/** `yubikey-otp counters export` */
export function addCountersExport(parent: Command): void {
  parent
    .command('export')
    .description('write all counters, in the format of ykval-import')
    .option('-o, --output <file>', 'a new file (default: standard output)')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { output?: string | undefined }>();
      await withDatabase(options, 'refuse', async (database) => {
        async function* lines() {
          for await (const listed of readRecords(database.counters)) {
            if (!isPublicId(listed.publicId)) continue;
            yield formatYkvalLine(listed, await database.keys.get(listed.publicId));
          }
        }
        say(`Wrote the counters of ${await writeLines(lines(), options.output)} keys`);
      });
    });
}
