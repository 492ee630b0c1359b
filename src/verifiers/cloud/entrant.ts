import type { CloudVerdict } from './cloud-answer.js';
import type { CloudFault } from './cloud-fault.js';
import type { ServerReport } from './outcome.js';
import type { Standing } from './standing.js';

/** One server in a race: what it has answered, and when it is asked next. */
export class Entrant implements ServerReport {
  readonly server: string;
  readonly standing: Standing;
  attempts = 0;
  running = 0;
  fault: CloudFault | undefined;
  replay: CloudVerdict | undefined;
  maybeAccepted = false;
  /** When the server is asked next, unless it answers before. Infinity: not at all, as far as is known now. */
  nextAttemptAt = Infinity;
  #attemptsLeft: number;

  constructor(server: string, standing: Standing, retries: number) {
    this.server = server;
    this.standing = standing;
    this.#attemptsLeft = retries + 1;
  }

  /** Whether an answer of this server may still come. */
  get isPending(): boolean {
    return this.running > 0 || this.nextAttemptAt < Infinity;
  }

  /** Whether the server waits to be asked for the first time. */
  get isWaiting(): boolean {
    return this.attempts === 0 && this.nextAttemptAt < Infinity;
  }

  /** Counts a request. */
  ask(): void {
    this.attempts += 1;
    this.#attemptsLeft -= 1;
    this.running += 1;
    this.standing.asked();
  }

  /** Plans the next request, unless the last one has been sent. */
  askAgainAfter(milliseconds: number): void {
    this.nextAttemptAt = this.#attemptsLeft > 0 ? performance.now() + milliseconds : Infinity;
  }

  /** Another request would not change what the server says. */
  stop(): void {
    this.#attemptsLeft = 0;
    this.nextAttemptAt = Infinity;
  }
}
