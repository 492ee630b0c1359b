import type { Command } from 'commander';
import type { ResealProgress } from 'passport-yubikey-otp/stores';
import type { GlobalOptions } from '../../global-options.js';
import { printJson, say } from '../../output.js';
import { Progress } from '../../progress.js';
import { type Secrets, withSecrets } from '../../session.js';

/** `yubikey-otp keys reseal` */
export function addKeysReseal(parent: Command): void {
  parent
    .command('reseal')
    .description('seal everything anew with the first of the master keys, while it is in use')
    .addHelpText(
      'after',
      `
To rotate the master key: put a new one in front of the old one in the master key file, give that file to all that
use the database, run this, then remove the old one from the file. What was interrupted, the next run completes.
Old master keys still open old backups.`,
    )
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await withSecrets(options, 'refuse', (secrets) => reseal(secrets, options.json));
    });
}

async function reseal(stores: Secrets, json = false): Promise<void> {
  const progress = new Progress();
  const show = (what: string) => (so: ResealProgress) => progress.update(`${what}: ${textOf(so)}`);
  try {
    const keys = await stores.keys.reseal(show('keys'));
    const clients = await stores.clients.reseal(show('clients'));
    progress.clear();
    if (json) await printJson({ keys, clients });
    else say(`Keys: ${textOf(keys)}. Clients: ${textOf(clients)}`);
  } finally {
    progress.clear();
  }
}

function textOf({ checked, resealed }: ResealProgress): string {
  return `${resealed} of ${checked} sealed anew`;
}
