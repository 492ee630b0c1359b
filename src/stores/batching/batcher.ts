import type { OpenCalls } from '../open-calls.js';
import type { BatchWriter } from './batch.js';
import { Lane } from './lane.js';
import type { Waiting } from './lane-batch.js';

/** Also limits how long one batch keeps an embedded database, and so the event loop, busy. */
const MAX_BATCH_SIZE = 128;
/** Concurrent writes of ids whose last write was not answered, each in a batch of its own. */
const SEPARATE_AT_ONCE = 2;
/** How many of these ids are remembered. */
const MAX_UNANSWERED = 10_000;

/**
 * Lets concurrent calls share one write. A batch consists of the calls of one turn of the event loop, or of those that
 * arrive while no further batch may be sent. It holds each id once: a second call with the same id waits until the
 * first one is done. If a batch rejects, all calls in it reject with the same error.
 *
 * A batch without an answer delays only the ids in it. Their rows may stay locked, so these ids are written separately
 * from all others until one of their writes is answered.
 */
export class Batcher<Item extends { readonly id: string }, Result> {
  readonly #shared: Lane<Item, Result>;
  readonly #separate: Lane<Item, Result>;
  readonly #unanswered = new Set<string>();
  readonly #calls: OpenCalls;

  constructor(writer: BatchWriter<Item, Result>, calls: OpenCalls) {
    this.#calls = calls;
    const { store } = calls;
    const { atOnce, slowMs } = writer;
    this.#shared = new Lane(writer, { store, atOnce, maxItems: MAX_BATCH_SIZE, slowMs }, this);
    const separately = { store, atOnce: SEPARATE_AT_ONCE, maxItems: 1, slowMs: undefined };
    this.#separate = new Lane(writer, separately, this);
  }

  /** Rejects at its deadline or on abort: with `STORE_FAILED` while it waits, with `ANSWER_LOST` once it was sent. */
  async add(item: Item, signal?: AbortSignal): Promise<Result> {
    const call = this.#calls.begin<Result>(signal);
    if (call.isWanted) this.#findLane(item.id).add({ item, call });
    return call.result;
  }

  requeue(lane: Lane<Item, Result>, id: string, waitings: Set<Waiting<Item, Result>>): void {
    const next = this.#chooseLane(id);
    if (next === lane) lane.takeBack(id, waitings);
    else for (const waiting of waitings) next.add(waiting);
  }

  /** The lane that holds the id already, since a write of it may be in flight there. */
  #findLane(id: string): Lane<Item, Result> {
    return [this.#shared, this.#separate].find((lane) => lane.holds(id)) ?? this.#chooseLane(id);
  }

  #chooseLane(id: string): Lane<Item, Result> {
    return this.#unanswered.has(id) ? this.#separate : this.#shared;
  }

  noteOutcome(id: string, isAnswered: boolean): void {
    this.#unanswered.delete(id);
    if (isAnswered) return;
    this.#unanswered.add(id);
    const [oldest] = this.#unanswered;
    if (this.#unanswered.size > MAX_UNANSWERED && oldest !== undefined) this.#unanswered.delete(oldest);
  }
}
