import type { Claims } from '../callers.js';

const [WAITING, BEGUN, GIVEN_UP] = [0, 1, 2];

/**
 * The state of each call of a job, in memory shared by two threads: the worker begins calls, the waiting thread gives them
 * up, and for each call whichever comes first decides. A call that was given up is never written.
 */
export class CallStates implements Claims {
  constructor(readonly states: Int32Array) {}

  static create(calls: number): CallStates {
    return new CallStates(new Int32Array(new SharedArrayBuffer(calls * Int32Array.BYTES_PER_ELEMENT)));
  }

  /** Begins all calls that were not given up. Returns false if there are none. */
  begin(): boolean {
    this.states.forEach((_, call) => {
      Atomics.compareExchange(this.states, call, WAITING, BEGUN);
    });
    return this.#has(BEGUN);
  }

  giveUp(call: number): boolean {
    return Atomics.compareExchange(this.states, call, WAITING, GIVEN_UP) !== BEGUN;
  }

  isBegun(call: number): boolean {
    return Atomics.load(this.states, call) === BEGUN;
  }

  /** Whether any call has begun. */
  get hasBegun(): boolean {
    return this.#has(BEGUN);
  }

  get areAllBegun(): boolean {
    return this.states.every((_, call) => this.isBegun(call));
  }

  /** Whether any call was not given up. */
  get isWanted(): boolean {
    return this.#has(WAITING) || this.#has(BEGUN);
  }

  #has(state: number): boolean {
    return this.states.some((_, call) => Atomics.load(this.states, call) === state);
  }
}
