/** One line of a file, without its end. */
export interface Line {
  readonly number: number;
  readonly text: string;
}

/** What one line says. Undefined where it says nothing: a blank line, a comment. */
export type Parsed<Entry> =
  | { readonly entry: Entry }
  /** Why the line cannot be used. Repeats nothing of the line, which may hold secrets. */
  | { readonly problem: string }
  /** Why the line is none of our business, though nothing is wrong with it. */
  | { readonly skipped: string }
  | undefined;

export type ParseLine<Entry> = (text: string) => Parsed<Entry>;

/** More than any line of these formats has. */
const MAX_LENGTH = 10_000;

/** Text as lines that end in LF or CRLF. Of a line that is too long for any format, only its beginning is kept. */
export async function* splitLines(chunks: AsyncIterable<string | Uint8Array>): AsyncGenerator<Line> {
  const decoder = new TextDecoder();
  let number = 1;
  let rest = '';
  const line = (text: string): Line => ({ number: number++, text: text.replace(/\r$/, '') });
  for await (const chunk of chunks) {
    const parts = (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })).split('\n');
    parts[0] = shortened(rest + parts[0]);
    rest = shortened(parts.pop() as string);
    for (const part of parts) yield line(part);
  }
  rest += decoder.decode();
  if (rest !== '') yield line(rest);
}

function shortened(text: string): string {
  return text.length > MAX_LENGTH ? text.slice(0, MAX_LENGTH + 1) : text;
}

/** What every line says that says something, with its number. `endIsNotes`: the end of a long line may be cut off. */
export async function* parseLines<Entry>(
  lines: AsyncIterable<Line>,
  parseLine: ParseLine<Entry>,
  endIsNotes = false,
): AsyncGenerator<{ line: number; parsed: NonNullable<Parsed<Entry>> }> {
  for await (const { number, text } of lines) {
    const isTooLong = text.length > MAX_LENGTH && !endIsNotes;
    const parsed = isTooLong ? { problem: 'the line is too long' } : parseLine(text);
    if (parsed) yield { line: number, parsed };
  }
}
