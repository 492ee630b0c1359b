import { isObserved, publish } from '../diagnostics.js';
import { YubikeyError } from '../errors.js';
import { assertSignal } from '../options.js';
import { Call } from './call.js';

const DEFAULT_TIMEOUT_MS = 5_000;
/** How many calls of one store may wait for an answer at once. */
const MAX_OPEN = 10_000;

/** The calls of one store that wait for an answer, and their common timeout. */
export class OpenCalls {
  #open = 0;
  readonly #onOver = () => {
    this.#open--;
  };

  /**
   * @param store The class of the store, which is published with its faults.
   * @throws TypeError if the timeout is not a positive whole number of milliseconds.
   */
  constructor(
    readonly store: string,
    readonly timeout: number = DEFAULT_TIMEOUT_MS,
  ) {
    if (!Number.isInteger(timeout) || timeout < 1 || timeout > 2 ** 31 - 1) {
      throw new TypeError('timeout must be a whole number of milliseconds, 1 or more');
    }
  }

  /**
   * @throws YubikeyError `STORE_FAILED` if too many calls wait already; TypeError for anything but an AbortSignal.
   */
  begin<T>(signal?: AbortSignal, begunAt = performance.now()): Call<T> {
    assertSignal(signal);
    if (this.#open >= MAX_OPEN) {
      const fault = tooManyCalls();
      this.#publishFault(fault, begunAt);
      throw fault;
    }
    this.#open++;
    const call = new Call<T>(this.timeout, this.#onOver, signal, begunAt);
    if (isObserved('store-fault')) call.result.catch((fault) => this.#publishFault(fault, begunAt));
    return call;
  }

  #publishFault({ code }: YubikeyError, begunAt: number): void {
    publish('store-fault', () => ({ store: this.store, code, milliseconds: performance.now() - begunAt }));
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

function tooManyCalls(): YubikeyError {
  return new YubikeyError(
    'STORE_FAILED',
    `${MAX_OPEN} calls are already waiting for the database, so nothing was sent: try again later`,
  );
}
