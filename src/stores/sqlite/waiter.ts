import { setTimeout as sleep } from 'node:timers/promises';
import type { Call } from '../calls.js';
import { isBusy } from './sqlite-faults.js';

const BUSY_RETRY_MS = 10;

/** Those who wait for a piece of work. */
export interface Waiter {
  /** Whether somebody still does. */
  readonly isWanted: boolean;
  /** Says that the work begins to write; false where it must not, since nobody waits any more. */
  begin(): boolean;
  /** Told what keeps the work from being begun. */
  waitsFor(obstacle: unknown): void;
}

/** Whoever waits for a call, whose work is done in this thread. */
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

/** Waits for locks of other processes as long as somebody waits for the work, without blocking the event loop. */
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
