import { SetupError } from '../terminal/failure.js';
import type { KeyEntry } from './key-columns.js';
import type { Line, ParseLine } from './line.js';
import { LOGGING_START, parsePersonalizationToolLine, TRADITIONAL_COLUMNS } from './personalization-tool.js';
import { parseYkksmLine, YKKSM_HEADER } from './ykksm.js';
import { parseYkmanLine } from './ykman.js';

/** The formats of key files, by the names of the programs that write them. */
export const KEY_FORMATS = {
  ykksm: parseYkksmLine,
  ykman: parseYkmanLine,
  'personalization-tool': parsePersonalizationToolLine,
} satisfies Record<string, ParseLine<KeyEntry>>;

export type KeyFormat = keyof typeof KEY_FORMATS;

/** The number of lines that show the format. */
const SAMPLE_LENGTH = 20;

/**
 * Reads the first lines, and returns them beside an iterator over all lines.
 *
 * @throws SetupError for an encrypted file.
 */
export async function withSample(
  lines: AsyncIterable<Line>,
  noun = 'keys',
): Promise<{ sample: readonly Line[]; lines: AsyncGenerator<Line> }> {
  const rest = lines[Symbol.asyncIterator]();
  const sample: Line[] = [];
  while (sample.length < SAMPLE_LENGTH) {
    const next = await rest.next();
    if (next.done) break;
    sample.push(next.value);
  }
  refuseEncrypted(sample, noun);
  async function* all() {
    yield* sample;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  }
  return { sample, lines: all() };
}

function refuseEncrypted(sample: readonly Line[], noun: string): void {
  const isArmored = sample.some(({ text }) => /^-----BEGIN PGP (MESSAGE|SIGNED MESSAGE)/.test(text));
  // The first character is not UTF-8: a binary OpenPGP message starts like this.
  const isBinary = sample[0]?.text.startsWith('\uFFFD') ?? false;
  if (!isArmored && !isBinary) return;
  const what = isArmored ? 'an OpenPGP message' : 'not text, perhaps an OpenPGP message';
  throw new SetupError(
    `This is ${what}. Decrypt it first: gpg --decrypt FILE | yubikey-otp ${noun} import -`,
  );
}

/**
 * Whether yubikey-ksm may have written a key file. Its export has no header, and if its dates contain a `T`, it looks
 * like the Yubico format of the Personalization Tool.
 */
export function mayBeYkksm(format: KeyFormat, isCertain: boolean, sample: readonly Line[]): boolean {
  if (format === 'ykksm' || isCertain) return format === 'ykksm';
  return format === 'personalization-tool' && !sample.some(({ text }) => isTraditional(text));
}

/** Detects the format of a key file from its first lines. */
export function detectKeyFormat(sample: readonly Line[]): KeyFormat {
  const lines = sample.map(({ text }) => text.trim()).filter((text) => text !== '');
  if (lines[0]?.replace(/\s+/g, ' ').startsWith(YKKSM_HEADER)) return 'ykksm';
  // The parser for the Personalization Tool also reads the lines of ykman.
  const hasTimeOfProgramming = (text: string) => /,\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,$/.test(text);
  return lines.some((text) => isTraditional(text) || hasTimeOfProgramming(text))
    ? 'personalization-tool'
    : 'ykksm';
}

function isTraditional(text: string): boolean {
  return text.startsWith(LOGGING_START) || text.split(',').length >= TRADITIONAL_COLUMNS;
}
