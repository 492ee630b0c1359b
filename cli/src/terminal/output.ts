import { once } from 'node:events';

/** Writes results to standard output, and waits until the reader takes more. */
export async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

export async function printJson(value: unknown): Promise<void> {
  await print(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** Prints one JSON array of any length, without keeping it in memory. */
export async function printJsonArray(values: AsyncIterable<unknown>): Promise<void> {
  let separator = '[\n';
  for await (const value of values) {
    await print(`${separator}  ${JSON.stringify(value)}`);
    separator = ',\n';
  }
  await print(separator === '[\n' ? '[]\n' : '\n]\n');
}

/** Writes a message to standard error, so that results can be piped. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function warn(text: string): void {
  say(`Warning: ${text}`);
}

export interface Column<Row> {
  readonly title: string;
  /** The minimum number of characters. The last column needs none. */
  readonly width: number;
  text(row: Row): string;
}

/** Prints aligned columns under their titles, row by row, and returns the number of rows. */
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

/** Prints names and values, one pair a line. */
export async function printFields(fields: Readonly<Record<string, string>>): Promise<void> {
  const width = Math.max(...Object.keys(fields).map((name) => name.length)) + 1;
  for (const [name, value] of Object.entries(fields)) {
    await print(`${`${name}:`.padEnd(width)}  ${oneLine(value)}`.trimEnd().concat('\n'));
  }
}

/** Formats a date for people: UTC, to the second. */
export function formatDate(date: Date): string {
  return `${date.toISOString().slice(0, 19).replace('T', ' ')}Z`;
}

/** Turns a text into one line without control characters. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim();
}
