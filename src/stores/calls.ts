import { YubikeyError } from '../errors.js';
import { assertSignal } from '../options.js';

const DEFAULT_TIMEOUT_MS = 5_000;
/** How many calls of one store may wait for an answer at once. */
const MAX_OPEN = 10_000;

/** The calls of one store that wait for an answer, and their common timeout. */
export class Calls {
  #open = 0;
  readonly #onOver = () => {
    this.#open--;
  };

  /** @throws TypeError if the timeout is not a positive whole number of milliseconds. */
  constructor(readonly timeout: number = DEFAULT_TIMEOUT_MS) {
    if (!Number.isInteger(timeout) || timeout < 1 || timeout > 2 ** 31 - 1) {
      throw new TypeError('timeout must be a whole number of milliseconds, 1 or more');
    }
  }

  /**
   * @throws YubikeyError `STORE_FAILED` if too many calls wait already; TypeError for anything but an AbortSignal.
   */
  begin<T>(signal?: AbortSignal, begunAt?: number): Call<T> {
    assertSignal(signal);
    if (this.#open >= MAX_OPEN) {
      throw new YubikeyError(
        'STORE_FAILED',
        `${MAX_OPEN} calls are already waiting for the database, so nothing was sent: try again later`,
      );
    }
    this.#open++;
    return new Call(this.timeout, this.#onOver, signal, begunAt);
  }

  /** Runs `ask`, and waits for its answer until the deadline, which counts from `begunAt` where that is given. */
  async run<T>(ask: (call: Call<T>) => Promise<T>, signal?: AbortSignal, begunAt?: number): Promise<T> {
    const call = this.begin<T>(signal, begunAt);
    ask(call).then(
      (answer) => call.resolve(answer),
      (error) => call.reject(error),
    );
    return call.result;
  }
}

/**
 * One call of a store. It settles by its deadline at the latest, with the answer or with a YubikeyError: `STORE_FAILED`
 * means that nothing was written, `ANSWER_LOST` that a write was sent, not answered, and may have taken effect.
 */
export class Call<T> {
  readonly result: Promise<T>;
  /** Called when the call ends without an answer, at its deadline or on abort. */
  onGivenUp: (() => void) | undefined;
  /** What the call waits for, if the database reported it, such as a lock of another process. */
  obstacle: unknown;
  #isSent = () => false;
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

  get isOver(): boolean {
    return this.#over;
  }

  /**
   * Marks the write as sent: from now on it may take effect although no answer arrives. `hasBegun` is asked when the
   * call is given up, where the engine can know whether the write has begun; once it has answered false, the write must
   * never begin.
   */
  sent(hasBegun = () => true): void {
    this.#isSent = hasBegun;
  }

  /** Marks the write as refused: the database reported that it wrote nothing. */
  refused(): void {
    this.#isSent = () => false;
  }

  resolve(answer: T): void {
    if (this.#end()) this.#settle.resolve(answer);
  }

  reject(cause: unknown): void {
    if (this.#end()) this.#settle.reject(this.#toFault(cause));
  }

  readonly #abort = () => this.#giveUp(this.#signal?.reason);

  #giveUp(why: unknown): void {
    if (!this.#end()) return;
    this.#settle.reject(this.#toFault(this.#isSent() ? why : (this.obstacle ?? why)));
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

  #toFault(cause: unknown): YubikeyError {
    if (cause instanceof YubikeyError) return cause;
    return this.#isSent()
      ? new YubikeyError(
          'ANSWER_LOST',
          'The database was asked to write, but its answer was lost, so the OTP may be used up: touch the key again',
          { cause },
        )
      : new YubikeyError('STORE_FAILED', 'The database failed, and nothing was written', { cause });
  }
}
