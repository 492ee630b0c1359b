import { once } from 'node:events';

/** Results go to standard output, and wait for who reads them. */
export async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

export async function printJson(value: unknown): Promise<void> {
  await print(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** One JSON array, however long, without holding it. */
export async function printJsonArray(values: AsyncIterable<unknown>): Promise<void> {
  let separator = '[\n';
  for await (const value of values) {
    await print(`${separator}  ${JSON.stringify(value)}`);
    separator = ',\n';
  }
  await print(separator === '[\n' ? '[]\n' : '\n]\n');
}

/** Messages go to standard error, so that results can be piped. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function warn(text: string): void {
  say(`Warning: ${text}`);
}

export interface Column<Row> {
  readonly title: string;
  /** At least so many characters; the last column takes what it needs. */
  readonly width: number;
  text(row: Row): string;
}

/** Aligned columns under their titles. Rows are printed as they come. */
export async function printTable<Row>(
  columns: readonly Column<Row>[],
  rows: AsyncIterable<Row>,
): Promise<number> {
  const line = (cells: readonly string[]) =>
    `${cells
      .map((cell, at) => oneLine(cell).padEnd(columns[at]?.width ?? 0))
      .join('  ')
      .trimEnd()}\n`;
  let count = 0;
  for await (const row of rows) {
    if (count === 0) await print(line(columns.map(({ title }) => title)));
    await print(line(columns.map(({ text }) => text(row))));
    count += 1;
  }
  return count;
}

/** Names and values below one another. */
export async function printFields(fields: Readonly<Record<string, string>>): Promise<void> {
  const width = Math.max(...Object.keys(fields).map((name) => name.length)) + 1;
  for (const [name, value] of Object.entries(fields)) {
    await print(`${`${name}:`.padEnd(width)}  ${oneLine(value)}`.trimEnd().concat('\n'));
  }
}

/** A date as people read it: UTC, to the second. */
export function formatDate(date: Date): string {
  return `${date.toISOString().slice(0, 19).replace('T', ' ')}Z`;
}

/** What a file of settings-like text holds of another's: one line, without control characters. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim();
}
