import { setMaxListeners } from 'node:events';
import { TransportFault } from '../../http/transport-fault.js';

/** A time limit, as a signal that gives up. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(milliseconds: number) {
    const fault = new TransportFault('TIMED_OUT', `no answer in ${milliseconds} ms`, true, true);
    // The requests to all servers listen.
    setMaxListeners(0, this.signal);
    this.#timer = setTimeout(() => this.end(fault), milliseconds);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Gives up now. */
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
