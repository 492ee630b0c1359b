import type { RecordStore } from 'passport-yubikey-otp/stores';
import { quoteForShell } from '../database/shell.js';
import { adviseOnUnopened } from '../database/unopened.js';
import { writeLines } from '../files/write-lines.js';
import { EXIT } from '../terminal/failure.js';
import { say } from '../terminal/output.js';
import { readUnsealedRecords } from './read-records.js';

export interface SecretsExport<Stored> {
  /** The name of the records in messages and commands. */
  noun: 'keys' | 'clients';
  sealed: Pick<RecordStore<Stored, unknown>, 'get' | 'list'>;
  raw: Pick<RecordStore<Stored, unknown>, 'list'>;
  toId(record: Stored): string;
  /** Formats the records that open as the lines of the file. */
  formatLines(records: AsyncIterable<Stored>): AsyncIterable<string>;
  output: string | undefined;
}

/** Exports all records that open, reports the others, and sets the exit code. */
export async function exportSecrets<Stored>(options: SecretsExport<Stored>): Promise<void> {
  const { noun, sealed, raw, toId, formatLines, output } = options;
  let [written, leftOut] = [0, 0];
  const records = readUnsealedRecords(sealed, raw, toId, (id, error) => {
    leftOut += 1;
    say(`Left out: ${adviseOnUnopened(error, `yubikey-otp ${noun} delete ${quoteForShell(id)}`)}`);
  });
  async function* counted() {
    for await (const record of records) {
      written += 1;
      yield record;
    }
  }
  await writeLines(formatLines(counted()), output);
  const secrets = noun === 'keys' ? 'their secrets' : 'their API keys';
  say(`Wrote ${written} ${noun} with ${secrets}${output ? ` to ${output}` : ''}`);
  if (leftOut === 0) return;
  say(`Left out because they do not open: ${leftOut} ${noun}`);
  process.exitCode = EXIT.refused;
}
