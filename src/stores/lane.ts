import type { Batch, BatchWriter } from './batch-writer.js';
import type { Call } from './calls.js';

export interface Waiting<Item, Result> {
  readonly item: Item;
  readonly call: Call<Result>;
}

type Waitings<Item, Result> = readonly Waiting<Item, Result>[];

export interface LaneSettings {
  /** Batches in flight at once. */
  readonly atOnce: number;
  /** Items in a batch. */
  readonly maxItems: number;
  /** Milliseconds after which a batch no longer counts as in flight; undefined: it always counts. */
  readonly slowMs: number | undefined;
}

export interface LaneOwner<Item extends { readonly id: string }, Result> {
  /** Called when the write of an id is done: it was answered, even if with an error, or its answer is lost. */
  noteOutcome(id: string, isAnswered: boolean): void;
  /** Called with calls that no longer wait behind another one with the same id. */
  requeue(lane: Lane<Item, Result>, id: string, waitings: Set<Waiting<Item, Result>>): void;
}

/** A queue of calls that may share batches. A batch holds each id once. */
export class Lane<Item extends { readonly id: string }, Result> {
  /** By id, the calls that can be sent, in the order of arrival: no write of their id is in flight. */
  readonly #ready = new Map<string, Set<Waiting<Item, Result>>>();
  /** By id, the calls that wait behind one that is in flight. */
  readonly #behind = new Map<string, Set<Waiting<Item, Result>>>();
  #running = 0;
  #isScheduled = false;
  readonly #writer: BatchWriter<Item, Result>;
  readonly #settings: LaneSettings;
  readonly #owner: LaneOwner<Item, Result>;

  constructor(writer: BatchWriter<Item, Result>, settings: LaneSettings, owner: LaneOwner<Item, Result>) {
    this.#writer = writer;
    this.#settings = settings;
    this.#owner = owner;
  }

  holds(id: string): boolean {
    return this.#ready.has(id) || this.#behind.has(id);
  }

  add(waiting: Waiting<Item, Result>): void {
    const { id } = waiting.item;
    const waitings = this.#behind.get(id) ?? this.#ready.get(id);
    if (waitings) waitings.add(waiting);
    else this.#ready.set(id, new Set([waiting]));
    waiting.call.onGivenUp = () => this.#remove(waiting);
    this.#schedule();
  }

  /** Queues calls that waited in this lane again. No other call with their id is queued at that moment. */
  takeBack(id: string, waitings: Set<Waiting<Item, Result>>): void {
    this.#ready.set(id, waitings);
    this.#schedule();
  }

  #remove(waiting: Waiting<Item, Result>): void {
    const { id } = waiting.item;
    this.#behind.get(id)?.delete(waiting);
    const waitings = this.#ready.get(id);
    waitings?.delete(waiting);
    if (waitings?.size === 0) this.#ready.delete(id);
  }

  #schedule(): void {
    if (this.#isScheduled || this.#running >= this.#settings.atOnce || this.#ready.size === 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (this.#ready.size > 0) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running++;
    const place = new Place(this.#settings.slowMs, () => {
      this.#running--;
      this.#schedule();
    });
    const begunAt = performance.now();
    const batch = new LaneBatch<Item, Result>(
      () => this.#take(),
      () => this.#waiting(),
    );
    const written = this.#write(batch, (error) => this.#rejectWaitingSince(begunAt, error));
    this.#schedule();
    await written;
    this.#release(batch.all);
    place.leave();
  }

  /** Settles every call that the writer took. If it failed before it took any, calls `rejectUntaken`. */
  async #write(batch: LaneBatch<Item, Result>, rejectUntaken: (error: unknown) => void): Promise<void> {
    try {
      const results = await this.#writer.write(batch);
      batch.taken?.forEach(({ item, call }, n) => {
        this.#owner.noteOutcome(item.id, true);
        call.resolve(results[n] as Result);
      });
    } catch (error) {
      if (batch.taken) await this.#fail(batch, batch.taken, error);
      else rejectUntaken(error);
    }
  }

  async #fail(batch: LaneBatch<Item, Result>, taken: Waitings<Item, Result>, error: unknown): Promise<void> {
    const isRefusal = this.#writer.isRefusal(error);
    if (isRefusal) for (const { call } of taken) call.refused();
    if (isRefusal && taken.length > 1 && this.#writer.isItemFault(error)) {
      const middle = taken.length >> 1;
      for (const half of [taken.slice(0, middle), taken.slice(middle)]) {
        await this.#write(batch.part(half), (fault) => rejectAll(half, fault));
      }
      return;
    }
    const isLocked = isRefusal && this.#writer.isLocked(error);
    for (const waiting of taken) {
      this.#owner.noteOutcome(waiting.item.id, isRefusal && !isLocked);
      if (isLocked) this.#retry(waiting, error);
      else waiting.call.reject(error);
    }
  }

  /** Queues the call again, before those that waited behind it. */
  #retry(waiting: Waiting<Item, Result>, obstacle: unknown): void {
    const { id } = waiting.item;
    waiting.call.obstacle = obstacle;
    if (!waiting.call.isOver) this.#behind.set(id, new Set([waiting, ...(this.#behind.get(id) ?? [])]));
  }

  /** Rejects the calls that waited at the time `at`; later ones may still be sent. */
  #rejectWaitingSince(at: number, error: unknown): void {
    const since = this.#waiting().filter(({ call }) => call.begunAt <= at);
    for (const waiting of since) this.#remove(waiting);
    rejectAll(since, error);
  }

  #waiting(): Waitings<Item, Result> {
    return [...this.#ready.values()].flatMap((waitings) => [...waitings]);
  }

  /** Takes at most one call of each id. */
  #take(): Waitings<Item, Result> {
    const taken: Waiting<Item, Result>[] = [];
    for (const [id, waitings] of this.#ready) {
      if (taken.length === this.#settings.maxItems) break;
      const [first] = waitings as Iterable<Waiting<Item, Result>> as [Waiting<Item, Result>];
      waitings.delete(first);
      taken.push(first);
      this.#ready.delete(id);
      this.#behind.set(id, waitings);
    }
    return taken;
  }

  #release(taken: Waitings<Item, Result>): void {
    for (const { item } of taken) {
      const waitings = this.#behind.get(item.id);
      this.#behind.delete(item.id);
      if (waitings && waitings.size > 0) this.#owner.requeue(this, item.id, waitings);
    }
  }
}

function rejectAll<Item, Result>(waitings: Waitings<Item, Result>, error: unknown): void {
  for (const { call } of waitings) call.reject(error);
}

/** A batch's share of the batches in flight, until the batch is done or slow. */
class Place {
  readonly #timer: NodeJS.Timeout | undefined;
  #isLeft = false;
  readonly #onLeft: () => void;

  constructor(slowMs: number | undefined, onLeft: () => void) {
    this.#onLeft = onLeft;
    if (slowMs !== undefined) this.#timer = setTimeout(() => this.leave(), slowMs);
  }

  leave(): void {
    clearTimeout(this.#timer);
    if (this.#isLeft) return;
    this.#isLeft = true;
    this.#onLeft();
  }
}

class LaneBatch<Item, Result> implements Batch<Item> {
  /** The calls that were sent last; undefined if none was. */
  taken: Waitings<Item, Result> | undefined;
  /** All calls that were ever taken. */
  all: Waitings<Item, Result> = [];
  readonly #takeFirst: () => Waitings<Item, Result>;
  readonly #waiting: () => Waitings<Item, Result>;

  constructor(takeFirst: () => Waitings<Item, Result>, waiting: () => Waitings<Item, Result>) {
    this.#takeFirst = takeFirst;
    this.#waiting = waiting;
  }

  /** When called again, returns the items of the first time whose callers still wait. */
  take(hasBegun?: (index: number) => boolean): readonly Item[] {
    if (this.taken) this.taken = this.taken.filter(({ call }) => !call.isOver);
    else this.all = this.taken = this.#takeFirst();
    this.taken.forEach(({ call }, index) => {
      call.sent(hasBegun && (() => hasBegun(index)));
    });
    return this.taken.map(({ item }) => item);
  }

  get isWanted(): boolean {
    return (this.taken ?? this.#waiting()).some(({ call }) => !call.isOver);
  }

  waitsFor(obstacle: unknown): void {
    for (const { call } of this.taken ?? this.#waiting()) call.obstacle = obstacle;
  }

  part(half: Waitings<Item, Result>): LaneBatch<Item, Result> {
    const waiting = () => half.filter(({ call }) => !call.isOver);
    return new LaneBatch(waiting, waiting);
  }
}
