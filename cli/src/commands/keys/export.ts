import { type Command, Option } from 'commander';
import type { KeyStore } from 'passport-yubikey-otp/stores';
import type { GlobalOptions } from '../../global-options.js';
import { say, warn } from '../../output.js';
import { withSecrets } from '../../session.js';
import { recordsOf } from '../../transfer/records-of.js';
import { formatYkksmLine, YKKSM_HEADER } from '../../transfer/ykksm.js';
import { writeLines } from '../write-lines.js';

/** `yubikey-otp keys export` */
export function addKeysExport(parent: Command): void {
  parent
    .command('export')
    .description('write all keys with their secrets, to import them elsewhere')
    .addOption(new Option('--format <format>', 'the format of the file').choices(['ykksm']).default('ykksm'))
    .option('-o, --output <file>', 'a new file, for its owner only (default: standard output)')
    .addHelpText(
      'after',
      '\nEncrypt what leaves the machine:\n\n  $ yubikey-otp keys export | gpg -ae -r KEYID',
    )
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { output?: string }>();
      await withSecrets(options, 'refuse', async ({ keys }) => {
        const seen = { disabled: 0 };
        const count = (await writeLines(linesOfKeys(keys, seen), options.output)) - 1;
        say(`Wrote ${count} keys with their secrets${options.output ? ` to ${options.output}` : ''}`);
        if (seen.disabled > 0) {
          warn(
            `${seen.disabled} of the keys are disabled. Their comments say [disabled], which yubikey-otp keys import understands and other software does not`,
          );
        }
      });
    });
}

async function* linesOfKeys(keys: KeyStore, seen: { disabled: number }): AsyncGenerator<string> {
  yield YKKSM_HEADER;
  for await (const key of recordsOf(keys)) {
    if (!key.active) seen.disabled += 1;
    yield formatYkksmLine(key);
  }
}
