import type { Command } from 'commander';
import type { KeyRecord } from 'passport-yubikey-otp/stores';
import type { GlobalOptions } from '../../global-options.js';
import { type Column, dateText, printJsonArray, printTable, say } from '../../output.js';
import { withDatabase } from '../../session.js';
import { recordsOf } from '../../transfer/records-of.js';

const COLUMNS: readonly Column<KeyRecord>[] = [
  { title: 'PUBLIC ID', width: 16, text: ({ publicId }) => publicId || '(empty)' },
  { title: 'STATE', width: 8, text: ({ active }) => (active ? 'active' : 'disabled') },
  { title: 'CREATED', width: 20, text: ({ createdAt }) => dateText(createdAt) },
  { title: 'NOTES', width: 0, text: ({ notes }) => notes },
];

/** `yubikey-otp keys list` */
export function addKeysList(parent: Command): void {
  parent
    .command('list')
    .description('list the keys; needs no master key')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await withDatabase(options, 'refuse', async (database) => {
        const records = recordsOf(database.keys);
        if (options.json) return printJsonArray(withoutSecrets(records));
        const count = await printTable(COLUMNS, records);
        if (count === 0) say('There are no keys; store one with: yubikey-otp keys add');
      });
    });
}

async function* withoutSecrets(records: AsyncIterable<KeyRecord>) {
  for await (const { publicId, active, createdAt, notes } of records) {
    yield { publicId, active, createdAt, notes };
  }
}
