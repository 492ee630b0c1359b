import type { Dispatcher } from 'undici';
import { MAX_RESPONSE_LENGTH } from '../protocol/validation-response.js';
import { TransportFault, toHttpStatusFault } from './transport-fault.js';

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** What became of a request: a TransportFault, or whatever undici failed with, where there is no answer. */
export type HttpOutcome = { readonly answer: HttpAnswer } | { readonly error: unknown };

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * One request and its answer, 8 KiB of UTF-8 at most, taken from undici as it comes: whoever waits is told in the
 * very turn that the last byte is read in.
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
   * @param statuses The HTTP statuses whose answers are read.
   * @param done Called once, and never after `abort()`; it must not throw.
   */
  constructor(statuses: readonly number[], done: (outcome: HttpOutcome) => void) {
    this.#statuses = statuses;
    this.#done = done;
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Gives it up, and its connection. */
  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#controller?.abort(abandoned());
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // undici knows of no abort before a request has its connection.
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
  return new Error('Nobody waits for this answer any more');
}
