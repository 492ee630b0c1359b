import { onTestFinished, vi } from 'vitest';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/**
 * Runs a test whose timers stand still until it moves them with `vi.advanceTimersByTime`, so that it does not depend
 * on the speed of the machine: what needs no timer ends by itself, and what waits for one never does.
 */
export async function withStoppedClock<T>(test: () => Promise<T>): Promise<T> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  // Also where the test times out.
  onTestFinished(() => void vi.useRealTimers());
  try {
    return await test();
  } finally {
    vi.useRealTimers();
  }
}

/** Lets the event loop turn until the condition holds, and then some more: what was sent has been read by then. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
  await turnOften();
}

async function turnOften(): Promise<void> {
  for (let turns = 0; turns < 50; turns++) await turn();
}

/** Whether a promise is still pending after the event loop has turned a few times. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  const settle = () => {
    pending = false;
  };
  promise.then(settle, settle);
  await turnOften();
  return pending;
}
