/** Milliseconds until a failed server is asked again. */
export const RETRY_DELAY_MS = 500;
/** How many answers a server in good standing may owe to verifications that were decided without it. */
const MAX_OWED = 16;
/** How many requests in a row a server in good standing may leave unanswered before their verdict. */
const MAX_UNANSWERED = 64;

/**
 * The record of a server over all verifications. A server that has just failed, hangs or is slower than the others would
 * cost each verification a connection and rarely decide it.
 */
export class Standing {
  #owed = 0;
  #unanswered = 0;
  #hasAnswered = false;
  #failedAt = -Infinity;

  get isGood(): boolean {
    return this.#owed < MAX_OWED && this.#unanswered < MAX_UNANSWERED && !this.#hasJustFailed;
  }

  /** Whether to prefer this server if neither is in good standing. */
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

  /** Notes requests that were answered after the verdict, or not at all. */
  wasLate(requests: number): void {
    this.#unanswered = Math.max(0, this.#unanswered - requests);
  }

  /** Changes the number of answers that are still to come for verifications that were decided without them. */
  owes(answers: number): void {
    this.#owed += answers;
  }

  get #hasJustFailed(): boolean {
    return performance.now() - this.#failedAt < RETRY_DELAY_MS;
  }
}
