import { setTimeout as sleep } from 'node:timers/promises';

/** Sends one request and throws if the answer is wrong. */
export type Ask = () => Promise<void>;

export interface Load {
  /** Number of callers; each sends its next request as soon as it has an answer. */
  readonly callers: number;
  /** Callers start one after another in the first half of the warm-up. */
  readonly warmUpMs: number;
  readonly measuredMs: number;
}

/** Measures how long answers take under a load. */
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
  if (milliseconds.length === 0) throw new Error('No answer arrived during the measurement');
  const sorted = milliseconds.toSorted((one, other) => one - other);
  const at = (share: number) => sorted[Math.floor(share * sorted.length)] as number;
  return { 'p50, ms': at(0.5), 'p99, ms': at(0.99) };
}
