import type { Parsed } from './line.js';

/** The possible outcomes of a line, which an import counts. */
export const TALLIES = ['added', 'raised', 'already there', 'unchanged', 'skipped', 'refused'] as const;
type Tally = (typeof TALLIES)[number];

export type Tallies = Partial<Record<Tally, number>>;

/** The outcome of one entry, and the problem to report, if any. */
export interface Outcome {
  readonly tally: Tally;
  readonly problem?: string | undefined;
  /** Whether an active key was disabled. */
  readonly disabled?: boolean | undefined;
}

export interface LineProblem {
  readonly line: number;
  readonly reason: string;
}

export interface ImportLinesOptions<Entry> {
  lines: AsyncIterable<{ line: number; parsed: NonNullable<Parsed<Entry>> }>;
  /** Entries with the same id are not applied at the same time. */
  toId(entry: Entry): string;
  apply(entry: Entry): Promise<Outcome>;
  onProblem(problem: LineProblem): void;
  onProgress?(lines: number, tallies: Tallies): void;
}

/** The number of entries that wait for the database at the same time. */
const BATCH_SIZE = 100;

/**
 * Applies the entries of a file in batches, so that many entries share a round trip to the database. The outcome is the
 * same as one after another. Problems are reported in the order of the lines. Memory use does not grow with the file.
 */
export async function importLines<Entry>(options: ImportLinesOptions<Entry>): Promise<Tallies> {
  const { toId, apply, onProblem, onProgress } = options;
  const tallies: Tallies = {};
  let batch: { line: number; outcome: Promise<Outcome> }[] = [];
  let ids = new Set<string>();
  let last = 0;

  const settle = async () => {
    const settled = await Promise.all(batch.map(({ outcome }) => outcome));
    for (const [at, { tally, problem }] of settled.entries()) {
      tallies[tally] = (tallies[tally] ?? 0) + 1;
      if (problem !== undefined) onProblem({ line: batch[at]?.line ?? 0, reason: problem });
    }
    batch = [];
    ids = new Set();
    onProgress?.(last, tallies);
  };

  for await (const { line, parsed } of options.lines) {
    const id = 'entry' in parsed ? toId(parsed.entry) : undefined;
    if (batch.length === BATCH_SIZE || (id !== undefined && ids.has(id))) await settle();
    if (id !== undefined) ids.add(id);
    const outcome = 'entry' in parsed ? apply(parsed.entry) : Promise.resolve(toOutcome(parsed));
    // The import fails with the first rejection; the other ones must not end the process as unhandled.
    outcome.catch(() => undefined);
    batch.push({ line, outcome });
    last = line;
  }
  await settle();
  return tallies;
}

function toOutcome(parsed: { problem: string } | { skipped: string }): Outcome {
  return 'problem' in parsed ? { tally: 'refused', problem: parsed.problem } : { tally: 'skipped' };
}

/** Adds the tallies of one file to those of the others. */
export function addTallies(sum: Tallies, tallies: Tallies): void {
  for (const tally of TALLIES) {
    const more = tallies[tally] ?? 0;
    if (more > 0) sum[tally] = (sum[tally] ?? 0) + more;
  }
}
