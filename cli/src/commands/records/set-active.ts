import type { Command } from 'commander';
import type { RecordFields } from 'passport-yubikey-otp/stores';
import { EXIT } from '../../failure.js';
import type { GlobalOptions } from '../../global-options.js';
import { printJson, say } from '../../output.js';
import { withDatabase } from '../../session.js';
import type { RecordKind, StoreOf } from './kind.js';

type Result = 'done' | 'unchanged' | 'not found';

/** Makes records active or not, one after another; the exit code tells whether all were there. */
export async function setActive<Stored extends RecordFields>(
  kind: RecordKind<Stored>,
  texts: readonly string[],
  active: boolean,
  command: Command,
): Promise<void> {
  const options = command.optsWithGlobals<GlobalOptions>();
  const ids = texts.map(kind.parseId);
  const word = active ? 'enabled' : 'disabled';
  await withDatabase(options, 'refuse', async (database) => {
    const results: Record<string, string>[] = [];
    for (const id of ids) {
      const result = await setOne(kind.storeOf(database), id, active);
      results.push({ [kind.idName]: id, result: result === 'done' ? word : result });
      if (result === 'not found') process.exitCode = EXIT.refused;
      say(
        {
          done: `${kind.nameOf(id)} is ${word}`,
          unchanged: `${kind.nameOf(id)} was ${word} already`,
          'not found': `There is no ${kind.noun} ${id}`,
        }[result],
      );
    }
    if (options.json) await printJson(results);
  });
}

/** Works on the stored record as it is: no secret is opened, so no master key is needed. */
async function setOne<Stored extends RecordFields>(
  store: StoreOf<Stored>,
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
