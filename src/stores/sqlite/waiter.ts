import type { Call } from '../calls.js';

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
export function waiterOf<T>(call: Call<T>, onBegin: () => void = () => undefined): Waiter {
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
