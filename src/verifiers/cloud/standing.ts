/** Milliseconds before a server that failed is asked again. */
export const RETRY_DELAY_MS = 500;
/** How many answers a server may owe to verifications that were decided without it. */
const MAX_OWED = 16;
/** How many requests may go to a server before it answers one of them in time. */
const MAX_UNANSWERED = 64;

/**
 * How a server does, over all verifications. One that has just failed, hangs or is slower than the others would cost
 * each verification a connection and seldom decide it.
 */
export class Standing {
  #owed = 0;
  #unanswered = 0;
  #hasAnswered = false;
  #failedAt = -Infinity;

  get isGood(): boolean {
    return this.#owed < MAX_OWED && this.#unanswered < MAX_UNANSWERED && !this.#hasJustFailed;
  }

  /** Whether it is the one to ask, where neither is good. */
  isBetterThan(other: Standing): boolean {
    if (this.#hasJustFailed !== other.#hasJustFailed) return other.#hasJustFailed;
    if (this.#hasAnswered !== other.#hasAnswered) return this.#hasAnswered;
    return this.#unanswered < other.#unanswered;
  }

  asked(): void {
    this.#unanswered += 1;
  }

  answered(): void {
    this.#unanswered = 0;
    this.#hasAnswered = true;
    this.#failedAt = -Infinity;
  }

  failed(): void {
    this.#unanswered = 0;
    this.#hasAnswered = false;
    this.#failedAt = performance.now();
  }

  /** It answered so many requests after the verdict, or not at all. */
  wasLate(requests: number): void {
    this.#unanswered = Math.max(0, this.#unanswered - requests);
  }

  /** So many more answers, or fewer, are still to come to verifications that were decided without them. */
  owes(answers: number): void {
    this.#owed += answers;
  }

  get #hasJustFailed(): boolean {
    return performance.now() - this.#failedAt < RETRY_DELAY_MS;
  }
}
