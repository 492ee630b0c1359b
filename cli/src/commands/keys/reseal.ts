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
    .description('seal all secrets again with the first master key, while the database is in use')
    .addHelpText(
      'after',
      `
To change the master key, give every process that uses the database a file with the new master key behind the old one.
Then give every process a file with the new one first, run this command, and remove the old one. The next run completes
an interrupted one. You still need the old master key to open old backups.`,
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
  return `${resealed} of ${checked} sealed again`;
}
