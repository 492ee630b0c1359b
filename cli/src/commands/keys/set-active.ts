import type { Command } from 'commander';
import type { Database } from '../../database.js';
import { EXIT } from '../../failure.js';
import type { GlobalOptions } from '../../global-options.js';
import { printJson, say } from '../../output.js';
import { publicIdOf } from '../../public-id.js';
import { withDatabase } from '../../session.js';

type Result = 'done' | 'unchanged' | 'not found';

/** Makes keys active or not, one after another; the exit code tells whether all were there. */
export async function setActive(ids: readonly string[], active: boolean, command: Command): Promise<void> {
  const options = command.optsWithGlobals<GlobalOptions>();
  const publicIds = ids.map(publicIdOf);
  const word = active ? 'enabled' : 'disabled';
  await withDatabase(options, 'refuse', async (database) => {
    const results: { publicId: string; result: string }[] = [];
    for (const publicId of publicIds) {
      const result = await setOne(database, publicId, active);
      results.push({ publicId, result: result === 'done' ? word : result });
      if (result === 'not found') process.exitCode = EXIT.refused;
      say(
        {
          done: `${publicId} is ${word}`,
          unchanged: `${publicId} was ${word} already`,
          'not found': `There is no key ${publicId}`,
        }[result],
      );
    }
    if (options.json) await printJson(results);
  });
}

/** Works on the stored record as it is: no secret is opened, so no master key is needed. */
async function setOne({ keys }: Database, publicId: string, active: boolean): Promise<Result> {
  for (;;) {
    const key = await keys.get(publicId);
    if (!key) return 'not found';
    if (key.active === active) return 'unchanged';
    if (await keys.replace(key, { active })) return 'done';
  }
}
