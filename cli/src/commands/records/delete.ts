import type { Command } from 'commander';
import type { RecordFields } from 'passport-yubikey-otp/stores';
import { withDatabase } from '../../database/session.js';
import { EXIT, SetupError } from '../../terminal/failure.js';
import type { GlobalOptions } from '../../terminal/global-options.js';
import { printJson, say } from '../../terminal/output.js';
import { askOnce } from '../../terminal/prompt.js';
import type { RecordKind } from './kind.js';

/** `yubikey-otp keys delete PUBLIC_ID…`, `yubikey-otp clients delete ID…` */
export function addRecordsDelete<Stored extends RecordFields>(
  parent: Command,
  kind: RecordKind<Stored>,
): void {
  parent
    .command('delete')
    .argument(kind.idArgument.flags, kind.idArgument.description)
    .description(kind.descriptions.delete)
    .option('-y, --yes', 'do not ask for confirmation')
    .action((ids: string[], _options: unknown, command: Command) => deleteRecords(kind, ids, command));
}

/** Deletes records, after confirmation at the terminal or by `--yes`. */
async function deleteRecords<Stored extends RecordFields>(
  kind: RecordKind<Stored>,
  texts: readonly string[],
  command: Command,
): Promise<void> {
  const options = command.optsWithGlobals<GlobalOptions & { yes?: boolean | undefined }>();
  const ids = texts.map(kind.parseId);
  await withDatabase(options, 'refuse', async (database) => {
    if (!options.yes)
      await confirm(
        `The ${kind.secrets} of ${ids.join(', ')} cannot be recovered. Type yes to delete them: `,
      );
    const results: Record<string, string>[] = [];
    for (const id of ids) {
      const wasThere = await kind.selectStore(database).delete(id);
      results.push({ [kind.idName]: id, result: wasThere ? 'deleted' : 'not found' });
      if (!wasThere) process.exitCode = EXIT.refused;
      say(wasThere ? `${kind.formatName(id)} is deleted` : `There is no ${kind.noun} ${id}`);
    }
    if (options.json) await printJson(results);
  });
}

async function confirm(question: string): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new SetupError('Nothing was deleted: there is no terminal to ask for confirmation, so give --yes');
  }
  if ((await askOnce(question)) !== 'yes') throw new SetupError('Nothing was deleted');
}
