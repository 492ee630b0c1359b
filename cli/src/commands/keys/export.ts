import { type Command, Option } from 'commander';
import type { KeyRecord } from 'passport-yubikey-otp/stores';
import { withSecrets } from '../../database/session.js';
import type { GlobalOptions } from '../../terminal/global-options.js';
import { warn } from '../../terminal/output.js';
import { exportSecrets } from '../../transfer/export-secrets.js';
import { formatYkksmLine, YKKSM_HEADER } from '../../transfer/ykksm.js';

/** `yubikey-otp keys export` */
export function addKeysExport(parent: Command): void {
  parent
    .command('export')
    .description('write all keys with their secrets, to import them elsewhere')
    .addOption(new Option('--format <format>', 'the format of the file').choices(['ykksm']).default('ykksm'))
    .option('-o, --output <file>', 'a new file that only its owner can read (default: standard output)')
    .addHelpText(
      'after',
      '\nEncrypt the export before it leaves the machine:\n\n  $ yubikey-otp keys export | gpg -ae -r KEYID',
    )
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { output?: string | undefined }>();
      await withSecrets(options, 'refuse', async ({ database, keys }) => {
        const seen = { disabled: 0 };
        await exportSecrets({
          noun: 'keys',
          sealed: keys,
          raw: database.keys,
          toId: ({ publicId }) => publicId,
          formatLines: (records) => formatKeyLines(records, seen),
          output: options.output,
        });
        if (seen.disabled > 0) {
          warn(
            `Disabled keys in this export: ${seen.disabled}. Their comments start with [disabled], which yubikey-otp keys import understands and other software ignores`,
          );
        }
      });
    });
}

async function* formatKeyLines(
  keys: AsyncIterable<KeyRecord>,
  seen: { disabled: number },
): AsyncGenerator<string> {
  yield YKKSM_HEADER;
  for await (const key of keys) {
    if (!key.active) seen.disabled += 1;
    yield formatYkksmLine(key);
  }
}
