import { YubikeyError } from 'passport-yubikey-otp';
import type { Advance, CounterStore } from 'passport-yubikey-otp/stores';
import type { Database } from '../database/database.js';
import { within } from '../terminal/within.js';

/** A write that succeeded proves so long that the database takes more. */
const PROVEN_MS = 5_000;
/** After one that failed, the database is tried again so soon. */
const RETRY_MS = 1_000;
/** A write of its own that takes longer is taken for one that fails. */
const SLOW_MS = 2_000;

interface Outcome {
  readonly isWritten: boolean;
  readonly at: number;
}

/** A write of its own that is not done yet. */
interface Probe {
  isSlow: boolean;
  /** Resolves when it is done, or slow. */
  known: Promise<unknown>;
}

/** Whether the database takes writes: as the last one tells, or one of its own where there was none. */
export class Readiness {
  private last: Outcome | undefined;
  private probing: Probe | undefined;
  private isOver = false;

  constructor(private readonly database: Pick<Database, 'fault' | 'probe'>) {
    void database.fault?.then(() => {
      this.isOver = true;
    });
  }

  /** The same counters, whose writes tell how the database is. */
  watch(counters: CounterStore): CounterStore {
    return {
      get: (publicId) => counters.get(publicId),
      list: (options) => counters.list(options),
      advance: async (...row): Promise<Advance> => {
        try {
          const advance = await counters.advance(...row);
          // A replay changes nothing, so perhaps nothing was written.
          if (advance.advanced) this.note(true);
          return advance;
        } catch (error) {
          const [, , , , signal] = row;
          // Other errors are about the counters, and an aborted call is about who asked.
          if (error instanceof YubikeyError && !signal?.aborted) this.note(false);
          throw error;
        }
      },
    };
  }

  /** Says what is known after so many milliseconds at the latest. Default: when a write of its own is done, or slow. */
  async check(milliseconds?: number): Promise<boolean> {
    if (this.isOver) return false;
    if (!this.isFresh) {
      this.probing ??= this.begin();
      const { known } = this.probing;
      await (milliseconds === undefined ? known : within(milliseconds, known));
    }
    return this.last?.isWritten === true && (this.isFresh || !this.probing?.isSlow);
  }

  private get isFresh(): boolean {
    if (!this.last) return false;
    return performance.now() - this.last.at < (this.last.isWritten ? PROVEN_MS : RETRY_MS);
  }

  private begin(): Probe {
    const done = this.database.probe().then(
      () => this.note(true),
      () => this.note(false),
    );
    const probe: Probe = { isSlow: false, known: within(SLOW_MS, done) };
    void probe.known.then(() => {
      probe.isSlow = true;
    });
    void done.then(() => {
      this.probing = undefined;
    });
    return probe;
  }

  private note(isWritten: boolean): void {
    this.last = { isWritten, at: performance.now() };
  }
}
