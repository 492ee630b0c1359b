/** One timer for several times to wait for. Times are those of `performance.now()`. */
export class Alarm {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #at = Infinity;

  /** @param ring It may be called too early, so it checks the clock and sets the alarm anew. */
  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** Rings at this time at the latest. */
  set(at: number): void {
    if (at >= this.#at) return;
    this.clear();
    this.#at = at;
    this.#timer = setTimeout(() => this.#afterReading(), Math.ceil(at - performance.now()));
  }

  /** Lets the process exit before the alarm rings, until it is set anew. */
  unref(): void {
    this.#timer?.unref();
  }

  clear(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#at = Infinity;
  }

  /** Rings after sockets were read, because answers that have arrived during a long turn must count first. */
  #afterReading(): void {
    this.#immediate = setImmediate(() => {
      this.#at = Infinity;
      this.#ring();
    });
  }
}

/** Whether a time has come. Timers count whole milliseconds of their own clock, so they may fire a little early. */
export function isDue(at: number): boolean {
  return at <= performance.now() + 1;
}
