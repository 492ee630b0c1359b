const { setTimeout, clearTimeout, setImmediate, clearImmediate } = globalThis;
const now = performance.now.bind(performance);

interface Timer {
  readonly at: number;
  readonly run: () => void;
  unref(): void;
}

/** A clock that jumps to the next timer as soon as nothing else is to do, so that minutes take milliseconds. */
export class VirtualClock {
  #now = 1000;
  readonly #timers = new Set<Timer>();

  get now(): number {
    return this.#now;
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#timers.size;
  }

  after(milliseconds: number, run: () => void): Timer {
    const timer = { at: this.#now + milliseconds, run, unref: () => undefined };
    this.#timers.add(timer);
    return timer;
  }

  /** Runs everything with this clock, and then all timers that are still set. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const clear = (timer: unknown) => void this.#timers.delete(timer as Timer);
    performance.now = () => this.#now;
    Object.assign(globalThis, {
      // Like Node, it waits for whole milliseconds, one at least.
      setTimeout: (run: () => void, ms: number) => this.after(Math.max(1, Math.trunc(ms)), run),
      setImmediate: (run: () => void) => this.after(0, run),
      clearTimeout: clear,
      clearImmediate: clear,
    });
    try {
      const result = work();
      await this.#runTimers();
      return await result;
    } finally {
      performance.now = now;
      Object.assign(globalThis, { setTimeout, clearTimeout, setImmediate, clearImmediate });
    }
  }

  async #runTimers(): Promise<void> {
    await settle();
    while (this.#timers.size > 0) {
      const next = [...this.#timers].reduce((first, timer) => (timer.at < first.at ? timer : first));
      this.#timers.delete(next);
      this.#now = next.at;
      next.run();
      await settle();
    }
  }
}

/** Lets all promises that can settle do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
