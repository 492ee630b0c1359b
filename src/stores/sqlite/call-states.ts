const [WAITING, BEGUN, GIVEN_UP] = [0, 1, 2];

/**
 * Which calls of a job were begun, known to two threads: the one that works begins them, the one that waits gives them up,
 * and for each call the first of both decides. What was given up is never written.
 */
export class CallStates {
  constructor(readonly states: Int32Array) {}

  static of(calls: number): CallStates {
    return new CallStates(new Int32Array(new SharedArrayBuffer(calls * Int32Array.BYTES_PER_ELEMENT)));
  }

  /** Begins all calls that were not given up; false where there is none. */
  begin(): boolean {
    this.states.forEach((_, call) => {
      Atomics.compareExchange(this.states, call, WAITING, BEGUN);
    });
    return this.#has(BEGUN);
  }

  /** False where the call was begun before. */
  giveUp(call: number): boolean {
    return Atomics.compareExchange(this.states, call, WAITING, GIVEN_UP) !== BEGUN;
  }

  isBegun(call: number): boolean {
    return Atomics.load(this.states, call) === BEGUN;
  }

  /** Whether any was. */
  get hasBegun(): boolean {
    return this.#has(BEGUN);
  }

  get areAllBegun(): boolean {
    return this.states.every((_, call) => this.isBegun(call));
  }

  get isWanted(): boolean {
    return this.#has(WAITING) || this.#has(BEGUN);
  }

  #has(state: number): boolean {
    return this.states.some((_, call) => Atomics.load(this.states, call) === state);
  }
}
