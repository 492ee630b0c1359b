import type { Command } from 'commander';
import { EXIT, SetupError } from '../../failure.js';
import type { GlobalOptions } from '../../global-options.js';
import { printJson, say } from '../../output.js';
import { askOnce } from '../../prompt.js';
import { publicIdOf } from '../../public-id.js';
import { withDatabase } from '../../session.js';

/** `yubikey-otp keys delete PUBLIC_ID…` */
export function addKeysDelete(parent: Command): void {
  parent
    .command('delete')
    .argument('<public-id...>', 'their public IDs')
    .description('forget the AES keys; their counters stay, so that no old OTP is ever accepted')
    .option('-y, --yes', 'do not ask')
    .action(async (ids: string[], _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { yes?: boolean }>();
      const publicIds = ids.map(publicIdOf);
      await withDatabase(options, 'refuse', async (database) => {
        if (!options.yes) await confirm(publicIds);
        const results: { publicId: string; result: string }[] = [];
        for (const publicId of publicIds) {
          const wasThere = await database.keys.delete(publicId);
          results.push({ publicId, result: wasThere ? 'deleted' : 'not found' });
          if (!wasThere) process.exitCode = EXIT.refused;
          say(wasThere ? `${publicId} is deleted` : `There is no key ${publicId}`);
        }
        if (options.json) await printJson(results);
      });
    });
}

async function confirm(publicIds: readonly string[]): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new SetupError('Nothing was deleted: where nobody can be asked, give --yes');
  }
  const answer = await askOnce(`The AES keys of ${publicIds.join(', ')} cannot be had back. Type yes: `);
  if (answer !== 'yes') throw new SetupError('Nothing was deleted');
}
