import type { YubikeyError } from '../errors.js';
import { Alarm, isDue } from './alarm.js';
import type { Exchange, HttpOutcome } from './exchange.js';
import type { Requests } from './in-flight.js';
import type { HttpRequest, Transport } from './transport.js';
import { timedOut } from './transport-fault.js';

/** Requests with one time limit, which starts when this object is made. */
export class TimedRequests implements Requests {
  readonly #transport: Transport;
  readonly #milliseconds: number;
  readonly #deadline: number;
  readonly #alarm = new Alarm(() => this.#onAlarm());
  readonly #running = new Map<Exchange, (outcome: HttpOutcome) => void>();
  /** The outcome of all requests that were running when they were ended, and of later ones. */
  #end: HttpOutcome | undefined;
  #cancelled: YubikeyError | undefined;

  constructor(transport: Transport, milliseconds: number) {
    this.#transport = transport;
    this.#milliseconds = milliseconds;
    this.#deadline = performance.now() + milliseconds;
    this.#alarm.set(this.#deadline);
  }

  /** Resolves with the outcome, which is TIMED_OUT when the time is up. @throws YubikeyError the error of `cancel()`. */
  async send(request: HttpRequest): Promise<HttpOutcome> {
    const outcome = this.#end ?? (await this.#exchange(request));
    if (this.#cancelled) throw this.#cancelled;
    return outcome;
  }

  cancel(error: YubikeyError): void {
    this.#cancelled = error;
    this.#endAll(error);
  }

  abandon(): void {
    this.#endAll(timedOut(this.#milliseconds));
  }

  /** Lets the process exit before the time is up. */
  unref(): void {
    this.#alarm.unref();
  }

  /** Stops the time, once no request is pending any more. */
  clear(): void {
    this.#alarm.clear();
  }

  #exchange(request: HttpRequest): Promise<HttpOutcome> {
    return new Promise((resolve) => {
      const exchange = this.#transport.start(request, (outcome) => {
        this.#running.delete(exchange);
        resolve(outcome);
      });
      this.#running.set(exchange, resolve);
    });
  }

  #onAlarm(): void {
    if (isDue(this.#deadline)) this.#endAll(timedOut(this.#milliseconds));
    else this.#alarm.set(this.#deadline);
  }

  #endAll(error: Error): void {
    this.clear();
    this.#end = { error };
    for (const [exchange, resolve] of this.#running) {
      exchange.abort();
      resolve(this.#end);
    }
    this.#running.clear();
  }
}
