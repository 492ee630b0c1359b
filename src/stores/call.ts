import { YubikeyError } from '../errors.js';
import { BEGUN, type Callers, type Claims } from './callers.js';

/**
 * One call of a store. It settles by its deadline at the latest, with the answer or with a YubikeyError: `STORE_FAILED`
 * means that nothing was written, `ANSWER_LOST` that a write began, was not answered, and may have taken effect.
 */
export class Call<T> implements Callers {
  readonly result: Promise<T>;
  /** Called when the call ends without an answer, at its deadline or on abort. */
  onGivenUp: (() => void) | undefined;
  #obstacle: unknown;
  /** Undefined as long as nothing can have been written. */
  #claims: Claims | undefined;
  #index = 0;
  #over = false;
  readonly #timer: NodeJS.Timeout;
  #settle!: { resolve(answer: T): void; reject(error: unknown): void };
  readonly #onOver: () => void;
  readonly #signal: AbortSignal | undefined;

  constructor(
    timeout: number,
    onOver: () => void,
    signal: AbortSignal | undefined,
    /** By `performance.now()`. */
    readonly begunAt = performance.now(),
  ) {
    this.#onOver = onOver;
    this.#signal = signal;
    this.result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#timer = setTimeout(
      () => this.#giveUp(new Error(`No answer within ${timeout} ms`)),
      begunAt + timeout - performance.now(),
    );
    if (signal?.aborted) this.#abort();
    else signal?.addEventListener('abort', this.#abort);
  }

  get isWanted(): boolean {
    return !this.#over;
  }

  beginWrite(): boolean {
    this.#claims = BEGUN;
    return !this.#over;
  }

  /** Leaves it to another thread to begin the write, unless the caller has given up already. */
  handOver(claims: Claims, index = 0): void {
    this.#claims = claims;
    this.#index = index;
    if (this.#over) claims.giveUp(index);
  }

  /** Takes {@link beginWrite} back: the database reported that it wrote nothing. */
  refused(): void {
    this.#claims = undefined;
  }

  waitsFor(obstacle: unknown): void {
    this.#obstacle = obstacle;
  }

  resolve(answer: T): void {
    if (this.#end()) this.#settle.resolve(answer);
  }

  reject(cause: unknown): void {
    if (this.#end()) this.#fail(cause, this.#giveUpWrite());
  }

  readonly #abort = () => this.#giveUp(this.#signal?.reason);

  #giveUp(why: unknown): void {
    if (!this.#end()) return;
    const isUnwritten = this.#giveUpWrite();
    this.#fail(isUnwritten ? (this.#obstacle ?? why) : why, isUnwritten);
    this.onGivenUp?.();
  }

  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#onOver();
    return true;
  }

  /** Returns false if the write has begun; otherwise, it never will. */
  #giveUpWrite(): boolean {
    return this.#claims === undefined || this.#claims.giveUp(this.#index);
  }

  /** Every fault of a call is made here. */
  #fail(cause: unknown, isUnwritten: boolean): void {
    this.#settle.reject(toFault(cause, isUnwritten));
  }
}

function toFault(cause: unknown, isUnwritten: boolean): YubikeyError {
  if (cause instanceof YubikeyError) return cause;
  return isUnwritten
    ? new YubikeyError('STORE_FAILED', 'The database failed, and nothing was written', { cause })
    : new YubikeyError(
        'ANSWER_LOST',
        'The database was asked to write, but its answer was lost, so the OTP may be used up: touch the key again',
        { cause },
      );
}
