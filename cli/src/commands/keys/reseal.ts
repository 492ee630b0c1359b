import type { Command } from 'commander';
import type { ResealProgress } from 'passport-yubikey-otp/stores';
import { type Secrets, withSecrets } from '../../database/session.js';
import { isUnopened } from '../../database/unopened.js';
import { EXIT } from '../../terminal/failure.js';
import type { GlobalOptions } from '../../terminal/global-options.js';
import { printJson, say } from '../../terminal/output.js';
import { Progress } from '../../terminal/progress.js';

/** `yubikey-otp keys reseal` */
export function addKeysReseal(parent: Command): void {
  parent
    .command('reseal')
    .description('encrypt all secrets again with the first master key, while the database is in use')
    .addHelpText(
      'after',
      `
To change the master key:
  1. Write the new master key after the old one in the master key file of every process that uses the database.
  2. Move the new master key to the front in all these files: the first one seals new secrets.
  3. Run this command. If it is interrupted, run it again.
  4. Remove the old master key from the files, but keep it for as long as you keep old backups.
A service reads its master keys when it starts, so restart it after steps 1, 2 and 4.`,
    )
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await withSecrets(options, 'refuse', (secrets) => reseal(secrets, options.json));
    });
}

async function reseal(stores: Secrets, json = false): Promise<void> {
  const keys = await resealAll('keys', stores.keys);
  const clients = await resealAll('clients', stores.clients);
  if (json) await printJson({ keys, clients });
  else say(`Keys: ${formatProgress(keys)}. Clients: ${formatProgress(clients)}`);
}

/** Reports the records that do not open, after the others are sealed again. */
async function resealAll(what: string, store: Secrets['keys' | 'clients']): Promise<ResealProgress> {
  const progress = new Progress();
  let last: ResealProgress = { checked: 0, resealed: 0 };
  try {
    return await store.reseal((progressSoFar) => {
      last = progressSoFar;
      progress.update(`${what}: ${formatProgress(progressSoFar)}`);
    });
  } catch (error) {
    if (!isUnopened(error)) throw error;
    progress.say(error.message);
    process.exitCode = EXIT.refused;
    return last;
  } finally {
    progress.clear();
  }
}

function formatProgress({ checked, resealed }: ResealProgress): string {
  return `${checked} checked, ${resealed} resealed`;
}
