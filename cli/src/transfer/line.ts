/** One line of a file, without its line end. */
export interface Line {
  readonly number: number;
  readonly text: string;
}

/** The content of one line. Undefined for a blank line or a comment. */
export type Parsed<Entry> =
  | { readonly entry: Entry }
  /** Why the line cannot be used. Repeats nothing of the line, which may contain secrets. */
  | { readonly problem: string }
  /** Why a correct line is not imported. */
  | { readonly skipped: string }
  | undefined;

export type ParseLine<Entry> = (text: string) => Parsed<Entry>;

/** Longer than any line of these formats. */
const MAX_LENGTH = 10_000;

/** Splits text into lines that end in LF or CRLF. Only the beginning of a line that is too long is kept. */
export async function* splitLines(chunks: AsyncIterable<string | Uint8Array>): AsyncGenerator<Line> {
  const decoder = new TextDecoder();
  let number = 1;
  let rest = '';
  const line = (text: string): Line => ({ number: number++, text: text.replace(/\r$/, '') });
  for await (const chunk of chunks) {
    const parts = (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })).split('\n');
    parts[0] = truncate(rest + parts[0]);
    rest = truncate(parts.pop() as string);
    for (const part of parts) yield line(part);
  }
  rest += decoder.decode();
  if (rest !== '') yield line(rest);
}

function truncate(text: string): string {
  return text.length > MAX_LENGTH ? text.slice(0, MAX_LENGTH + 1) : text;
}

/**
 * Parses lines, and leaves out blank ones and comments. `endIsNotes`: a line that is too long is parsed without its end,
 * which is notes.
 */
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
