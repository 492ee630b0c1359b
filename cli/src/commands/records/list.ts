import type { Command } from 'commander';
import type { RecordFields } from 'passport-yubikey-otp/stores';
import { withDatabase } from '../../database/session.js';
import type { GlobalOptions } from '../../terminal/global-options.js';
import { type Column, formatDate, printJsonArray, printTable, say } from '../../terminal/output.js';
import { readRecords } from '../../transfer/read-records.js';
import type { RecordKind } from './kind.js';

const COLUMNS: readonly Column<RecordFields>[] = [
  { title: 'STATE', width: 8, text: ({ active }) => (active ? 'active' : 'disabled') },
  { title: 'CREATED', width: 20, text: ({ createdAt }) => formatDate(createdAt) },
  { title: 'NOTES', width: 0, text: ({ notes }) => notes },
];

/** `yubikey-otp keys list`, `yubikey-otp clients list` */
export function addRecordsList<Stored extends RecordFields>(parent: Command, kind: RecordKind<Stored>): void {
  parent
    .command('list')
    .description(kind.descriptions.list)
    .action((_options: unknown, command: Command) => listRecords(kind, command));
}

/** Prints all records, without their secrets. */
async function listRecords<Stored extends RecordFields>(
  kind: RecordKind<Stored>,
  command: Command,
): Promise<void> {
  const options = command.optsWithGlobals<GlobalOptions>();
  await withDatabase(options, 'refuse', async (database) => {
    const records = readRecords(kind.selectStore(database));
    if (options.json) return printJsonArray(withoutSecrets(kind, records));
    const count = await printTable([kind.idColumn, ...COLUMNS], records);
    if (count === 0) say(`There are no ${kind.noun}s; ${kind.howToMakeOne}`);
  });
}

async function* withoutSecrets<Stored extends RecordFields>(
  kind: RecordKind<Stored>,
  records: AsyncIterable<Stored>,
) {
  for await (const record of records) {
    const { active, createdAt, notes } = record;
    yield { [kind.idName]: kind.toId(record), active, createdAt, notes };
  }
}
