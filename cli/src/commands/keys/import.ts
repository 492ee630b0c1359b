import { type Command, Option } from 'commander';
import { MemoryStore } from 'passport-yubikey-otp/stores';
import { withSecrets } from '../../database/session.js';
import { commandOnSameDatabase } from '../../database/shell.js';
import type { GlobalOptions } from '../../terminal/global-options.js';
import { say } from '../../terminal/output.js';
import { detectKeyFormat, KEY_FORMATS, type KeyFormat, mayBeYkksm } from '../../transfer/detect.js';
import { dryRunRecords } from '../../transfer/dry-run.js';
import { importKey } from '../../transfer/import-records.js';
import type { KeyEntry } from '../../transfer/key-columns.js';
import { runImport } from '../../transfer/run-import.js';
import { adviseOnDisabledKeys, disableAsYkksm } from '../../transfer/ykksm.js';

interface Options extends GlobalOptions {
  format?: KeyFormat | undefined;
  dryRun?: boolean | undefined;
}

/** `yubikey-otp keys import FILE…` */
export function addKeysImport(parent: Command): void {
  parent
    .command('import')
    .argument('<file...>', 'key files of other software, or - for standard input')
    .description('import keys from files of yubikey-ksm, ykman or the Personalization Tool')
    .addOption(
      new Option(
        '--format <format>',
        'the format of the files (default: detected from their first lines)',
      ).choices(Object.keys(KEY_FORMATS)),
    )
    .option('--dry-run', 'show what the import would do, and write nothing')
    .addHelpText(
      'after',
      `
Bad lines are reported with their numbers, and the import goes on. Stored keys are never overwritten, so a file can be
imported again. Key files of yubikey-ksm are usually encrypted, and do not tell which keys were disabled:

  $ gpg --decrypt keys.asc | yubikey-otp keys import -
  $ ${disableAsYkksm()}`,
    )
    .action(async (files: string[], _options: unknown, command: Command) => {
      const { format, dryRun = false, ...options } = command.optsWithGlobals<Options>();
      await withSecrets(options, dryRun ? 'pretend' : 'create', async ({ database, keys: stored }) => {
        const store = dryRun
          ? dryRunRecords(stored, database.keys, new MemoryStore().keys, ({ publicId }) => publicId)
          : stored;
        let isAnyYkksm = false;
        const seen = { accessCodes: 0, withoutPrivateId: 0, withCounters: 0 };
        await runImport<KeyEntry>({
          noun: 'keys',
          database,
          files,
          dryRun,
          json: options.json ?? false,
          chooseParser(sample, file) {
            const name = format ?? detectKeyFormat(sample);
            if (format === undefined) say(`Reading ${file} as ${name} (use --format to change this)`);
            isAnyYkksm ||= mayBeYkksm(name, format !== undefined, sample);
            return KEY_FORMATS[name];
          },
          toId: ({ publicId }) => publicId,
          async apply(entry) {
            const outcome = await importKey(store, entry);
            if (outcome.tally !== 'added') return outcome;
            if (entry.hasAccessCode) seen.accessCodes += 1;
            if (!entry.privateId) seen.withoutPrivateId += 1;
            if (await database.counters.get(entry.publicId)) seen.withCounters += 1;
            return outcome;
          },
          remarks: () => [
            ...formatRemarks(seen),
            ...(isAnyYkksm ? [adviseOnDisabledKeys(commandOnSameDatabase(command))] : []),
          ],
        });
      });
    });
}

function formatRemarks({
  accessCodes,
  withoutPrivateId,
  withCounters,
}: {
  accessCodes: number;
  withoutPrivateId: number;
  withCounters: number;
}): string[] {
  const remarks: string[] = [];
  if (accessCodes > 0) {
    remarks.push(
      `Keys with an access code, which is not stored: ${accessCodes}. Keep the file to program these YubiKeys again`,
    );
  }
  if (withoutPrivateId > 0) {
    remarks.push(
      `Keys without a private ID: ${withoutPrivateId}. Their OTPs are refused until you pin the private ID: yubikey-otp keys pin PUBLIC_ID`,
    );
  }
  if (withCounters > 0) {
    remarks.push(
      `Keys whose public ID has counters already: ${withCounters}. Only newer OTPs are accepted, which is right for YubiKeys that were used before, but a YubiKey that was programmed again needs another public ID`,
    );
  }
  return remarks;
}
