import { YubikeyError } from 'passport-yubikey-otp';
import type { Advance, CounterStore } from 'passport-yubikey-otp/stores';
import type { Database } from '../database/database.js';
import { within } from '../terminal/within.js';

/** How long a successful write shows that the database takes writes. */
const PROVEN_MS = 5_000;
/** How long after a failed write the database is tried again. */
const RETRY_MS = 1_000;
/** A probe that takes longer than this counts as failed. */
const SLOW_MS = 2_000;

interface Outcome {
  readonly isWritten: boolean;
  readonly at: number;
}

/** A write that only tests the database, and is not done yet. */
interface Probe {
  isSlow: boolean;
  /** Resolves when the write is done, or slow. */
  known: Promise<unknown>;
}

/** Tells whether the database takes writes: by the last write, or by a probe if there was none lately. */
export class Readiness {
  #last: Outcome | undefined;
  #probing: Probe | undefined;
  #isOver = false;

  readonly #database: Pick<Database, 'fault' | 'probe'>;

  constructor(database: Pick<Database, 'fault' | 'probe'>) {
    this.#database = database;
    void database.fault?.then(() => {
      this.#isOver = true;
    });
  }

  /** Wraps a counter store so that its writes show the state of the database. */
  watch(counters: CounterStore): CounterStore {
    return {
      get: (publicId) => counters.get(publicId),
      list: (options) => counters.list(options),
      advance: async (...row): Promise<Advance> => {
        try {
          const advance = await counters.advance(...row);
          // A replay may be refused without a write.
          if (advance.advanced) this.#note(true);
          return advance;
        } catch (error) {
          const [, , , , signal] = row;
          // Any other error is about the arguments, and an aborted call is about its caller.
          if (error instanceof YubikeyError && !signal?.aborted) this.#note(false);
          throw error;
        }
      },
    };
  }

  /** Answers within `milliseconds` with what is known by then. Default: waits until the probe is done, or slow. */
  async check(milliseconds?: number): Promise<boolean> {
    if (this.#isOver) return false;
    if (!this.#isFresh) {
      this.#probing ??= this.#begin();
      const { known } = this.#probing;
      await (milliseconds === undefined ? known : within(milliseconds, known));
    }
    return this.#last?.isWritten === true && (this.#isFresh || !this.#probing?.isSlow);
  }

  get #isFresh(): boolean {
    if (!this.#last) return false;
    return performance.now() - this.#last.at < (this.#last.isWritten ? PROVEN_MS : RETRY_MS);
  }

  #begin(): Probe {
    const done = this.#database.probe().then(
      () => this.#note(true),
      () => this.#note(false),
    );
    const probe: Probe = { isSlow: false, known: within(SLOW_MS, done) };
    void probe.known.then(() => {
      probe.isSlow = true;
    });
    void done.then(() => {
      this.#probing = undefined;
    });
    return probe;
  }

  #note(isWritten: boolean): void {
    this.#last = { isWritten, at: performance.now() };
  }
}
