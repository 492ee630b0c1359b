import type { BatchWriter } from './batch-writer.js';
import type { Calls } from './calls.js';
import { Lane, type Waiting } from './lane.js';

/** Also bounds how long one batch keeps an embedded database, and so the event loop, busy. */
const MOST_IN_BATCH = 128;
/** Writes of ids whose last write was not answered, each alone. */
const APART_AT_ONCE = 2;
/** So many of these ids are known. */
const MOST_UNANSWERED = 10_000;

/**
 * Lets calls that come together share one write. The calls of one turn of the event loop make a batch, and so do
 * those that come while no further batch may be on its way. A batch holds each id once: a second call with an id waits
 * until the first one is done. What a batch rejects with, all in it reject with.
 *
 * A batch without an answer keeps only its own ids waiting. Its rows may stay locked, so these are written apart from
 * all others until a write of theirs was answered.
 */
export class Batcher<Item extends { readonly id: string }, Result> {
  readonly #together: Lane<Item, Result>;
  readonly #apart: Lane<Item, Result>;
  readonly #unanswered = new Set<string>();
  readonly #calls: Calls;

  constructor(writer: BatchWriter<Item, Result>, calls: Calls) {
    this.#calls = calls;
    const { atOnce, slowMs } = writer;
    this.#together = new Lane(writer, { atOnce, most: MOST_IN_BATCH, slowMs }, this);
    this.#apart = new Lane(writer, { atOnce: APART_AT_ONCE, most: 1, slowMs: undefined }, this);
  }

  /** Rejects at its deadline, or for the signal: `STORE_FAILED` while it waits, `ANSWER_LOST` once it was sent. */
  async add(item: Item, signal?: AbortSignal): Promise<Result> {
    const call = this.#calls.begin<Result>(signal);
    const holder = [this.#together, this.#apart].find((lane) => lane.holds(item.id));
    if (!call.isOver) (holder ?? this.#chooseLane(item.id)).add({ item, call });
    return call.result;
  }

  requeue(lane: Lane<Item, Result>, id: string, waitings: Set<Waiting<Item, Result>>): void {
    const next = this.#chooseLane(id);
    if (next === lane) lane.takeBack(id, waitings);
    else for (const waiting of waitings) next.add(waiting);
  }

  #chooseLane(id: string): Lane<Item, Result> {
    return this.#unanswered.has(id) ? this.#apart : this.#together;
  }

  noteOutcome(id: string, isAnswered: boolean): void {
    this.#unanswered.delete(id);
    if (isAnswered) return;
    this.#unanswered.add(id);
    const [oldest] = this.#unanswered;
    if (this.#unanswered.size > MOST_UNANSWERED && oldest !== undefined) this.#unanswered.delete(oldest);
  }
}
