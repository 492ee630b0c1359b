import { setTimeout as sleep } from 'node:timers/promises';

/** Asks once and checks the answer: a wrong one throws. */
export type Ask = () => Promise<void>;

export interface Load {
  /** How many wait for an answer at any time; each asks again as soon as it has one. */
  readonly callers: number;
  /** Callers join one after another in the first half of it. */
  readonly warmUpMs: number;
  readonly measuredMs: number;
}

/** How long answers take under a load. */
export async function latencies(ask: Ask, { callers, warmUpMs, measuredMs }: Load) {
  const taken: number[] = [];
  const from = performance.now() + warmUpMs;
  const until = from + measuredMs;
  const call = async (_: unknown, caller: number) => {
    await sleep((caller / callers) * (warmUpMs / 2));
    for (let before = performance.now(); before < until; ) {
      await ask();
      const after = performance.now();
      if (after >= from && after < until) taken.push(after - before);
      before = after;
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  return { ...percentiles(taken), 'per second': (taken.length * 1000) / measuredMs };
}

export function percentiles(milliseconds: readonly number[]) {
  if (milliseconds.length === 0) throw new Error('Nothing was answered in the time that is measured');
  const sorted = milliseconds.toSorted((one, other) => one - other);
  const at = (share: number) => sorted[Math.floor(share * sorted.length)] as number;
  return { 'p50, ms': at(0.5), 'p99, ms': at(0.99) };
}
