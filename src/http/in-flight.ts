import { YubikeyError } from '../errors.js';
import type { Transport } from './transport.js';

/** How many decided questions may still have pending requests, which a hanging server would accumulate. */
const MAX_DECIDED = 32;

/** The requests to one or many servers that answer one question together. */
export interface Requests {
  /** Ends them. Whoever waits for the result gets this error. */
  cancel(error: YubikeyError): void;
  /** Ends them, once the result is known. */
  abandon(): void;
}

/**
 * All requests of a verifier or a KSM that are on their way. Those that are still pending when their question is decided
 * may finish, so that connections stay open for the next question, but they must not pile up.
 */
export class InFlight {
  readonly #owner: string;
  readonly #transport: Transport;
  readonly #pending = new Set<Requests>();
  readonly #decided = new Set<Requests>();
  #isClosed = false;

  /** @param owner The name of the class in the error after `close()`. */
  constructor(owner: string, transport: Transport) {
    this.#owner = owner;
    this.#transport = transport;
  }

  /** @throws YubikeyError `CLOSED` */
  assertOpen(): void {
    if (this.#isClosed) throw this.#closedError();
  }

  add(requests: Requests): void {
    this.#pending.add(requests);
  }

  /** Notes that the question is decided. Nothing happens if no request is pending any more. */
  decide(requests: Requests): void {
    if (!this.#pending.has(requests)) return;
    this.#decided.add(requests);
    const [oldest] = this.#decided;
    if (this.#decided.size > MAX_DECIDED) oldest?.abandon();
  }

  /** Notes that no request is pending any more. */
  end(requests: Requests): void {
    this.#pending.delete(requests);
    this.#decided.delete(requests);
    if (this.#pending.size === 0) this.#transport.dropConnecting();
  }

  /** Ends all requests with `CLOSED` and closes the connections. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const requests of this.#pending) requests.cancel(this.#closedError());
    await this.#transport.close();
  }

  #closedError(): YubikeyError {
    return new YubikeyError('CLOSED', `The ${this.#owner} was closed`);
  }
}
