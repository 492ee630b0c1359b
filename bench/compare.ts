/** One of the things to compare. */
export interface Contestant {
  readonly name: string;
  /** Works for about a second. Throws if an answer is wrong. */
  measure(): Promise<Figures>;
}

/** Measured values by name, such as `per second` or `p99, ms`. */
export type Figures = Readonly<Record<string, number>>;

/** The figures of each contestant, one entry per round. */
export type Measured = Readonly<Record<string, readonly Figures[]>>;

/** Runs contestants in turn, A B A B, so that other load on the machine affects all of them. */
export async function compare(contestants: readonly Contestant[], rounds = 5): Promise<Measured> {
  const measured: Record<string, Figures[]> = {};
  for (const { name } of contestants) measured[name] = [];
  for (let round = 0; round < rounds; round++) {
    for (const { name, measure } of contestants) measured[name]?.push(await measure());
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  }
  return measured;
}

/** The ratio of a figure of two contestants: the median of the ratios of each round. */
export function ratio(measured: Measured, figure: string, of: string, to: string): number {
  const others = measured[to] ?? [];
  return median(
    (measured[of] ?? []).map((mine, round) => (mine[figure] as number) / (others[round]?.[figure] as number)),
  );
}

/** The difference of a figure of two contestants: the median of the differences of each round. */
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
