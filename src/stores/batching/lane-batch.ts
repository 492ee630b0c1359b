import type { Call } from '../call.js';
import type { Claims } from '../callers.js';
import type { Batch } from './batch.js';

export interface Waiting<Item, Result> {
  readonly item: Item;
  readonly call: Call<Result>;
}

export type Waitings<Item, Result> = readonly Waiting<Item, Result>[];

/** The calls that would be taken into the next batch. */
export interface CallQueue<Item, Result> {
  readonly waitings: Waitings<Item, Result>;
  /** Takes as many of them as a batch may hold. */
  take(): Waitings<Item, Result>;
}

/** A batch as its lane sees it, with the calls behind the items. */
export class LaneBatch<Item, Result> implements Batch<Item> {
  items: readonly Item[] = [];
  /** The calls behind {@link items} once their write has begun or was handed over. */
  begun: Waitings<Item, Result> | undefined;
  /** All calls that it took from the queue. */
  taken: Waitings<Item, Result> = [];
  /** By `performance.now()`. */
  readonly createdAt = performance.now();
  #fixed: Waitings<Item, Result> | undefined;
  readonly #queue: CallQueue<Item, Result>;

  /** @param part The calls to write, if they were already taken from the queue. */
  constructor(queue: CallQueue<Item, Result>, part?: Waitings<Item, Result>) {
    this.#queue = queue;
    this.#fixed = part;
  }

  /** The calls that are in it, or would be if it were fixed now. */
  get waitings(): Waitings<Item, Result> {
    return this.#fixed ?? this.#queue.waitings;
  }

  get isWanted(): boolean {
    return this.waitings.some(({ call }) => call.isWanted);
  }

  waitsFor(obstacle: unknown): void {
    for (const { call } of this.waitings) call.waitsFor(obstacle);
  }

  fix(): void {
    if (this.#fixed) this.#fixed = this.#fixed.filter(({ call }) => call.isWanted);
    else this.#fixed = this.taken = this.#queue.take();
    this.items = this.#fixed.map(({ item }) => item);
  }

  beginWrite(): boolean {
    this.fix();
    this.begun = this.waitings;
    for (const { call } of this.begun) call.beginWrite();
    return this.begun.length > 0;
  }

  handOver(claims: Claims): void {
    this.begun = this.waitings;
    this.begun.forEach(({ call }, index) => {
      call.handOver(claims, index);
    });
  }
}
