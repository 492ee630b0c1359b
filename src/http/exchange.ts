import type { Dispatcher } from 'undici';
import { MAX_RESPONSE_LENGTH } from '../protocol/validation-response.js';
import { TransportFault, toHttpStatusFault } from './transport-fault.js';

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** The result of a request: an answer, or a TransportFault or undici's error. */
export type HttpOutcome = { readonly answer: HttpAnswer } | { readonly error: unknown };

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * One request and its answer, at most 8 KiB of UTF-8. It handles undici's events directly, so `done` is called in the
 * same turn of the event loop that reads the last byte.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #statuses: readonly number[];
  readonly #done: (outcome: HttpOutcome) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #chunks: Buffer[] = [];
  #length = 0;
  #over = false;

  /**
   * @param statuses The HTTP statuses whose answers are read. Any other is a fault.
   * @param done Called once, unless `abort()` is called first. It must not throw.
   */
  constructor(statuses: readonly number[], done: (outcome: HttpOutcome) => void) {
    this.#statuses = statuses;
    this.#done = done;
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Abandons the request and its connection. */
  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#controller?.abort(abandoned());
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // undici cannot abort a request before it has a connection.
    if (this.#over) controller.abort(abandoned());
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) return;
    this.#status = status;
    if (!this.#statuses.includes(status)) this.#refuse(toHttpStatusFault(status));
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#length += chunk.length;
    this.#chunks.push(chunk);
    if (this.#length > MAX_RESPONSE_LENGTH) this.#refuse(malformed('the answer is longer than 8 KiB'));
  }

  onResponseEnd(): void {
    const text = decodeUtf8(this.#chunks);
    if (text === undefined) this.fail(malformed('the answer is not UTF-8'));
    else this.#end({ answer: { status: this.#status, text } });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: unknown): void {
    this.fail(error);
  }

  fail(error: unknown): void {
    this.#end({ error });
  }

  #refuse(fault: TransportFault): void {
    this.fail(fault);
    this.#controller?.abort(fault);
  }

  #end(outcome: HttpOutcome): void {
    if (this.#over) return;
    this.#over = true;
    this.#done(outcome);
  }
}

function decodeUtf8(chunks: readonly Buffer[]): string | undefined {
  try {
    return UTF_8.decode(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
  } catch {
    return undefined;
  }
}

function malformed(message: string): TransportFault {
  return new TransportFault('ANSWER_MALFORMED', message, false, true);
}

function abandoned(): Error {
  return new Error('This answer is no longer needed');
}
