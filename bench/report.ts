import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { type Figures, type Measured, median } from './compare.js';

/** A lower or upper bound for a figure. */
interface Goal {
  readonly what: string;
  readonly reached: number;
  readonly atLeast?: number | undefined;
  readonly atMost?: number | undefined;
}

export interface Report {
  /** Also the name of the file in `bench/results`. */
  readonly bench: string;
  readonly measured: Measured;
  readonly goals: readonly Goal[];
  /** Peers that are not installed, with the reason. */
  readonly skipped?: Readonly<Record<string, string>> | undefined;
  /** Explanations of the figures. */
  readonly notes?: readonly string[] | undefined;
}

/** Prints a report and saves it in `bench/results`. */
export function keepReport({ bench, measured, goals, skipped = {}, notes = [] }: Report): void {
  const summed = Object.fromEntries(
    Object.entries(measured).map(([name, rounds]) => [name, summary(rounds)]),
  );
  const judged = goals.map((goal) => ({ ...goal, isMet: isMet(goal) }));
  console.log(`\n${bench}: median (minimum to maximum)`);
  console.table(
    Object.fromEntries(
      Object.entries(summed).map(([name, figures]) => [
        name,
        Object.fromEntries(Object.entries(figures).map(([figure, it]) => [figure, inWords(it)])),
      ]),
    ),
  );
  for (const { what, reached, atLeast, atMost, isMet } of judged) {
    const goal = atLeast === undefined ? `at most ${atMost}` : `at least ${atLeast}`;
    console.log(`${isMet ? 'reached' : 'MISSED '}  ${what}: ${round(reached)} (${goal})`);
  }
  for (const [name, reason] of Object.entries(skipped)) console.log(`skipped  ${name}: ${reason}`);
  for (const note of notes) console.log(note);
  const folder = new URL('./results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const kept = {
    bench,
    at: new Date().toISOString(),
    machine: machine(),
    measured: summed,
    goals: judged,
    skipped,
    notes,
  };
  writeFileSync(new URL(`${bench}.json`, folder), `${JSON.stringify(kept, rounded, 2)}\n`);
}

function isMet({ reached, atLeast = -Infinity, atMost = Infinity }: Goal): boolean {
  return reached >= atLeast && reached <= atMost;
}

interface Summary {
  readonly minimum: number;
  readonly median: number;
  readonly maximum: number;
}

function summary(rounds: readonly Figures[]): Record<string, Summary & { rounds: number }> {
  const figures = Object.keys(rounds[0] ?? {});
  return Object.fromEntries(
    figures.map((figure) => {
      const values = rounds.map((it) => it[figure] as number);
      const [minimum, maximum] = [Math.min(...values), Math.max(...values)];
      return [figure, { minimum, median: median(values), maximum, rounds: values.length }];
    }),
  );
}

function inWords({ minimum, median, maximum }: Summary): string {
  return `${round(median)} (${round(minimum)} to ${round(maximum)})`;
}

/** Rounds to three digits; more would not be reproducible on a shared machine. */
function round(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en');
}

function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(4)) : value;
}

function machine(): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  return (
    `${cpus().length} cores of ${cpus()[0]?.model.trim()}, ${memory} GiB, Linux ${release().split('-')[0]}, ` +
    `Node ${process.versions.node}; a virtual machine that others share`
  );
}
