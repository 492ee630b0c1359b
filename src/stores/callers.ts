/** Those who wait for one piece of work: the caller of one call, or of each call in a batch. */
export interface Callers {
  /** Whether any of them still waits. */
  readonly isWanted: boolean;
  /**
   * To be called before each attempt to write: from now on, the write may take effect even if no answer arrives. Returns
   * false if nobody waits any longer, and then nothing may be written.
   */
  beginWrite(): boolean;
  /** Records what keeps the work from beginning, such as a lock: the cause of the error that they get at their deadline. */
  waitsFor(obstacle: unknown): void;
}

/**
 * Decides about calls that another thread begins. The thread begins a call or its caller gives it up, whichever comes
 * first, and never both.
 */
export interface Claims {
  /** Gives up the call with this index. Returns false if it has begun. */
  giveUp(index: number): boolean;
}

/** Of calls that begin in this thread. */
export const BEGUN: Claims = { giveUp: () => false };
