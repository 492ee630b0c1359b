import { createReadStream } from 'node:fs';
import type { Database } from '../database/database.js';
import { EXIT, SetupError } from '../terminal/failure.js';
import { printJson, say } from '../terminal/output.js';
import { Progress } from '../terminal/progress.js';
import { withSample } from './detect.js';
import {
  addTallies,
  importLines,
  type LineProblem,
  type Outcome,
  TALLIES,
  type Tallies,
} from './import-lines.js';
import { type Line, type ParseLine, parseLines, splitLines } from './line.js';

export interface Import<Entry> {
  /** The name of the records, which is also the name of the command. */
  noun: 'keys' | 'counters' | 'clients';
  database: Pick<Database, 'bulk'>;
  files: readonly string[];
  /** Chooses the parser for a file by its first lines. */
  chooseParser(sample: readonly Line[], file: string): ParseLine<Entry>;
  /** Whether lines end in notes, which are not stored. */
  endIsNotes?: boolean | undefined;
  toId(entry: Entry): string;
  apply(entry: Entry): Promise<Outcome>;
  dryRun: boolean;
  json: boolean;
  /** Further lines for the summary. */
  remarks?(): readonly string[];
}

type FileProblem = LineProblem & { file: string };

/** The most problems in a JSON summary. All problems go to standard error. */
const MAX_JSON_PROBLEMS = 1000;

/** Imports files line by line, prints a summary, and sets the exit code. */
export async function runImport<Entry>(options: Import<Entry>): Promise<void> {
  const progress = new Progress();
  const sum: Tallies = {};
  const problems: FileProblem[] = [];
  const importAll = async () => {
    for (const file of options.files) {
      const { sample, lines } = await withSample(splitLines(readChunks(file)), options.noun);
      const tallies = await importLines({
        lines: parseLines(lines, options.chooseParser(sample, file), options.endIsNotes),
        toId: options.toId,
        apply: options.apply,
        onProblem(problem) {
          progress.say(`${formatFileName(file)}:${problem.line}: ${problem.reason}`);
          if (problems.length < MAX_JSON_PROBLEMS) problems.push({ file: formatFileName(file), ...problem });
        },
        onProgress: (line, tallies) =>
          progress.update(`${formatFileName(file)}: line ${line}: ${formatTallies(tallies)}`),
      });
      addTallies(sum, tallies);
    }
  };
  try {
    await (options.dryRun ? importAll() : options.database.bulk(importAll));
  } finally {
    progress.clear();
  }
  await summarize(options, sum, problems);
}

async function summarize<Entry>(
  { dryRun, json, remarks }: Import<Entry>,
  sum: Tallies,
  problems: readonly FileProblem[],
): Promise<void> {
  for (const remark of remarks?.() ?? []) say(remark);
  if (json) {
    const counts = Object.fromEntries(TALLIES.map((tally) => [camelCase(tally), sum[tally] ?? 0]));
    await printJson({ dryRun, ...counts, problems });
  } else {
    say(
      `${dryRun ? 'Dry run, nothing was written: ' : ''}${formatTallies(sum) || 'there was nothing to import'}`,
    );
  }
  if (problems.length > 0) process.exitCode = EXIT.refused;
}

function formatTallies(tallies: Tallies): string {
  return TALLIES.filter((tally) => tallies[tally])
    .map((tally) => `${tallies[tally]} ${tally}`)
    .join(', ');
}

function camelCase(words: string): string {
  return words.replace(/ (\w)/g, (_, letter: string) => letter.toUpperCase());
}

function formatFileName(file: string): string {
  return file === '-' ? 'standard input' : file;
}

async function* readChunks(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* file === '-' ? process.stdin : createReadStream(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new SetupError(
      `${formatFileName(file)} cannot be read: ${code === 'ENOENT' ? 'there is no such file' : message}`,
    );
  }
}
