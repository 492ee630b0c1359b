/** One timer for all that is waited for at once. Times are those of `performance.now()`. */
export class Alarm {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #at = Infinity;

  /** What it calls may come early, when a time set before turned out not to matter: look at the clock, set it anew. */
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

  /** Lets the process exit before it rings; until it is set anew. */
  unref(): void {
    this.#timer?.unref();
  }

  clear(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#at = Infinity;
  }

  /** Timers run before sockets are read: after a turn that took long, answers that are there already count first. */
  #afterReading(): void {
    this.#immediate = setImmediate(() => {
      this.#at = Infinity;
      this.#ring();
    });
  }
}

/** Whether a time has come. Timers count whole milliseconds of a clock of their own, and may ring a little early. */
export function isDue(at: number): boolean {
  return at <= performance.now() + 1;
}
