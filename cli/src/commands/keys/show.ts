import type { Command } from 'commander';
import { withSecrets } from '../../database/session.js';
import { Refusal } from '../../terminal/failure.js';
import type { GlobalOptions } from '../../terminal/global-options.js';
import { formatDate, printFields, printJson } from '../../terminal/output.js';
import { parsePublicId } from '../../transfer/public-id.js';

/** `yubikey-otp keys show PUBLIC_ID` */
export function addKeysShow(parent: Command): void {
  parent
    .command('show')
    .argument('<public-id>', 'the public ID of the key')
    .description('show a key and its counters, without its secrets')
    .action(async (text: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const publicId = parsePublicId(text);
      await withSecrets(options, 'refuse', async ({ database, keys }) => {
        const key = await keys.get(publicId);
        if (!key) throw new Refusal(`There is no key ${publicId}`);
        const counters = await database.counters.get(publicId);
        const { active, createdAt, notes } = key;
        const hasPrivateId = key.privateId !== undefined;
        if (options.json) {
          return printJson({
            publicId,
            active,
            hasPrivateId,
            createdAt,
            notes,
            counters: counters ?? null,
          });
        }
        await printFields({
          'Public ID': publicId || '(empty)',
          State: active ? 'active' : 'disabled',
          'Private ID': hasPrivateId
            ? 'stored'
            : 'missing: OTPs of this key are refused until the private ID is pinned (keys pin)',
          Created: formatDate(createdAt),
          Notes: notes,
          ...(counters
            ? {
                'Last accepted': formatDate(counters.acceptedAt),
                Accepted: String(counters.acceptedCount),
                'Usage counter': String(counters.usageCounter),
                'Session use': String(counters.sessionUse),
              }
            : { 'Last accepted': 'never' }),
        });
      });
    });
}
