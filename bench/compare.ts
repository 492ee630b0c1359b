/** One of those that are compared. */
export interface Contestant {
  readonly name: string;
  /** Works for about a second and checks every answer: a wrong one throws. */
  measure(): Promise<Figures>;
}

/** What was measured, by what it counts, such as `per second` or `p99, ms`. */
export type Figures = Readonly<Record<string, number>>;

/** The figures of a contestant, one of each round. */
export type Measured = Readonly<Record<string, readonly Figures[]>>;

/** Lets contestants take turns, A B A B, so that what the machine does meanwhile meets all of them. */
export async function compare(contestants: readonly Contestant[], rounds = 5): Promise<Measured> {
  const measured: Record<string, Figures[]> = {};
  for (const { name } of contestants) measured[name] = [];
  for (let round = 0; round < rounds; round++) {
    for (const { name, measure } of contestants) measured[name]?.push(await measure());
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  }
  return measured;
}

/** What a figure of one contestant is to that of another: the median of the rounds' own ratios. */
export function ratio(measured: Measured, figure: string, of: string, to: string): number {
  const others = measured[to] ?? [];
  return median(
    (measured[of] ?? []).map((mine, round) => (mine[figure] as number) / (others[round]?.[figure] as number)),
  );
}

/** By how much a figure of one contestant is above that of another: the median of the rounds' own differences. */
export function difference(measured: Measured, figure: string, of: string, to: string): number {
  const others = measured[to] ?? [];
  return median(
    (measured[of] ?? []).map((mine, round) => (mine[figure] as number) - (others[round]?.[figure] as number)),
  );
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
