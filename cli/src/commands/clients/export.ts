import type { Command } from 'commander';
import type { GlobalOptions } from '../../global-options.js';
import { say } from '../../output.js';
import { withSecrets } from '../../session.js';
import { recordsOf } from '../../transfer/records-of.js';
import { formatYkvalClientsLine } from '../../transfer/ykval-clients.js';
import { writeLines } from '../write-lines.js';

/** `yubikey-otp clients export` */
export function addClientsExport(parent: Command): void {
  parent
    .command('export')
    .description('write all clients with their API keys, as ykval-import-clients reads them')
    .option('-o, --output <file>', 'a new file, for its owner only (default: standard output)')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { output?: string }>();
      await withSecrets(options, 'refuse', async ({ clients: store }) => {
        async function* lines() {
          for await (const client of recordsOf(store)) yield formatYkvalClientsLine(client);
        }
        const count = await writeLines(lines(), options.output);
        say(`Wrote ${count} clients with their API keys${options.output ? ` to ${options.output}` : ''}`);
      });
    });
}
