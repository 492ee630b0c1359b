import type { Command } from 'commander';
import type { RecordFields } from 'passport-yubikey-otp/stores';
import { withDatabase } from '../../database/session.js';
import { EXIT, SetupError } from '../../terminal/failure.js';
import type { GlobalOptions } from '../../terminal/global-options.js';
import { printJson, say } from '../../terminal/output.js';
import type { RecordKind, RecordKindStore } from './kind.js';

type Result = 'done' | 'unchanged' | 'not found';

/** `yubikey-otp keys disable PUBLIC_ID…`, `enable`, `yubikey-otp clients disable ID…`, `enable` */
export function addRecordsActivation<Stored extends RecordFields>(
  parent: Command,
  kind: RecordKind<Stored>,
): void {
  for (const name of ['disable', 'enable'] as const) {
    parent
      .command(name)
      .argument(kind.idArgument.flags, kind.idArgument.description)
      .description(kind.descriptions[name])
      .action((ids: string[], _options: unknown, command: Command) =>
        setActive(kind, ids, name === 'enable', command),
      );
  }
}

/**
 * Enables or disables records, one after another. The exit code tells whether all were found. An argument that cannot
 * be an id does not keep the others from being enabled or disabled.
 */
async function setActive<Stored extends RecordFields>(
  kind: RecordKind<Stored>,
  texts: readonly string[],
  active: boolean,
  command: Command,
): Promise<void> {
  const options = command.optsWithGlobals<GlobalOptions>();
  const { ids, problems } = readIds(kind, texts);
  if (ids.length === 0) throw new SetupError(problems.join('\n'));
  const word = active ? 'enabled' : 'disabled';
  await withDatabase(options, 'refuse', async (database) => {
    const results: Record<string, string>[] = [];
    for (const id of ids) {
      const result = await setOne(kind.selectStore(database), id, active);
      results.push({ [kind.idName]: id, result: result === 'done' ? word : result });
      if (result === 'not found') process.exitCode = EXIT.refused;
      say(
        {
          done: `${kind.formatName(id)} is ${word}`,
          unchanged: `${kind.formatName(id)} was ${word} already`,
          'not found': `There is no ${kind.noun} ${id}`,
        }[result],
      );
    }
    if (options.json) await printJson(results);
  });
  for (const problem of problems) {
    say(`Error: ${problem}`);
    process.exitCode = EXIT.setup;
  }
}

function readIds<Stored extends RecordFields>(
  kind: RecordKind<Stored>,
  texts: readonly string[],
): { ids: readonly string[]; problems: readonly string[] } {
  const ids: string[] = [];
  const problems: string[] = [];
  for (const [at, text] of texts.entries()) {
    try {
      ids.push(kind.parseId(text));
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      problems.push(texts.length === 1 ? error.message : `Argument ${at + 1}: ${error.message}`);
    }
  }
  return { ids, problems };
}

/** Changes the raw record: no secret is opened, so no master key is needed. */
async function setOne<Stored extends RecordFields>(
  store: RecordKindStore<Stored>,
  id: string,
  active: boolean,
): Promise<Result> {
  for (;;) {
    const record = await store.get(id);
    if (!record) return 'not found';
    if (record.active === active) return 'unchanged';
    if (await store.replace(record, { active })) return 'done';
  }
}
