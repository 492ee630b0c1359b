import { setMaxListeners } from 'node:events';
import { TransportFault } from '../../http/transport-fault.js';

/** A time limit with a signal that fires when the time is up. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(milliseconds: number) {
    const fault = new TransportFault('TIMED_OUT', `no answer in ${milliseconds} ms`, true, true);
    // The request to each server adds a listener.
    setMaxListeners(0, this.signal);
    this.#timer = setTimeout(() => this.end(fault), milliseconds);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Fires the signal now. */
  end(reason?: Error): void {
    this.clear();
    this.#controller.abort(reason);
  }

  /** Lets the process exit before the time is up. */
  unref(): void {
    this.#timer.unref();
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
