import type { Parsed } from './line.js';

/** What an import counts: what became of each line. */
export const TALLIES = ['added', 'raised', 'already there', 'unchanged', 'skipped', 'refused'] as const;
export type Tally = (typeof TALLIES)[number];

export type Tallies = Partial<Record<Tally, number>>;

/** What became of one entry, and what somebody has to look at. */
export interface Outcome {
  readonly tally: Tally;
  readonly problem?: string | undefined;
  /** Whether a key that was active is not any more. */
  readonly disabled?: boolean | undefined;
}

export interface LineProblem {
  readonly line: number;
  readonly reason: string;
}

export interface ImportLinesOptions<Entry> {
  lines: AsyncIterable<{ line: number; parsed: NonNullable<Parsed<Entry>> }>;
  /** What two entries share that must not be applied at once. */
  toId(entry: Entry): string;
  apply(entry: Entry): Promise<Outcome>;
  onProblem(problem: LineProblem): void;
  onProgress?(lines: number, tallies: Tallies): void;
}

/** How many entries wait for the database at once. */
const BATCH = 100;

/**
 * Applies the entries of a file in batches, so that one round trip to the database is no limit, with an outcome as
 * if they came one after another. Problems are told in the order of the lines; the memory it takes stays flat.
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
    if (batch.length === BATCH || (id !== undefined && ids.has(id))) await settle();
    if (id !== undefined) ids.add(id);
    const outcome = 'entry' in parsed ? apply(parsed.entry) : Promise.resolve(toOutcome(parsed));
    // Whichever fails first is what the import fails with; the others must not end the process.
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
