import { setTimeout as sleep } from 'node:timers/promises';
import type { Call } from '../calls.js';
import { isBusy } from './sqlite-faults.js';

const BUSY_RETRY_MS = 10;

/** The callers that wait for a piece of work. */
export interface Waiter {
  /** Whether any of them still waits. */
  readonly isWanted: boolean;
  /** Called before the work writes. Returns false if it must not, since no caller waits any longer. */
  begin(): boolean;
  /** Called with the error that keeps the work from beginning. */
  waitsFor(obstacle: unknown): void;
}

/** The waiter for a call whose work is done in this thread. */
export function createWaiter<T>(call: Call<T>, onBegin: () => void = () => undefined): Waiter {
  return {
    get isWanted() {
      return !call.isOver;
    },
    begin: () => {
      onBegin();
      return true;
    },
    waitsFor: (obstacle) => {
      call.obstacle = obstacle;
    },
  };
}

/** Retries the work while other processes lock the file and a caller waits, without blocking the event loop. */
export async function whenFree<T>(work: () => T, waiter: Waiter): Promise<T> {
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error)) throw error;
      waiter.waitsFor(error);
      await sleep(BUSY_RETRY_MS);
      if (!waiter.isWanted) throw error;
    }
  }
}
