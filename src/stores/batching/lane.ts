import { type BatchMessage, publish } from '../../diagnostics.js';
import type { BatchWriter, WriteFault } from './batch.js';
import { type CallQueue, LaneBatch, type Waiting, type Waitings } from './lane-batch.js';
import { Place } from './place.js';

export interface LaneSettings {
  /** The class of the store, which is published with its batches. */
  readonly store: string;
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
export class Lane<Item extends { readonly id: string }, Result> implements CallQueue<Item, Result> {
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
    const batch = new LaneBatch(this);
    const written = this.#write(batch);
    this.#schedule();
    await written;
    this.#release(batch.taken);
    place.leave();
  }

  /** Settles every call whose write began. If it failed before any did, rejects those that waited for it. */
  async #write(batch: LaneBatch<Item, Result>): Promise<void> {
    try {
      const results = await this.#writer.write(batch);
      this.#publish(batch, 'WRITTEN');
      batch.begun?.forEach(({ item, call }, n) => {
        this.#owner.noteOutcome(item.id, true);
        call.resolve(results[n] as Result);
      });
    } catch (error) {
      const fault = batch.begun ? this.#writer.classifyFault(error) : 'REFUSED';
      this.#publish(batch, fault);
      if (batch.begun) await this.#fail(batch.begun, fault, error);
      else this.#rejectUnbegun(batch, error);
    }
  }

  #publish({ begun, createdAt }: LaneBatch<Item, Result>, outcome: BatchMessage['outcome']): void {
    // All callers had given up, so there was nothing to write.
    if (begun?.length === 0) return;
    const { store } = this.#settings;
    publish('batch', () => ({
      store,
      size: begun?.length ?? 0,
      milliseconds: performance.now() - createdAt,
      outcome,
    }));
  }

  async #fail(begun: Waitings<Item, Result>, fault: WriteFault, error: unknown): Promise<void> {
    if (fault !== 'UNANSWERED') for (const { call } of begun) call.refused();
    if (fault === 'ITEM_REFUSED' && begun.length > 1) {
      const middle = begun.length >> 1;
      await this.#write(new LaneBatch(this, begun.slice(0, middle)));
      await this.#write(new LaneBatch(this, begun.slice(middle)));
      return;
    }
    for (const waiting of begun) {
      this.#owner.noteOutcome(waiting.item.id, fault === 'REFUSED' || fault === 'ITEM_REFUSED');
      if (fault === 'LOCKED') this.#retry(waiting, error);
      else waiting.call.reject(error);
    }
  }

  /** Queues the call again, before those that waited behind it. */
  #retry(waiting: Waiting<Item, Result>, obstacle: unknown): void {
    const { id } = waiting.item;
    waiting.call.waitsFor(obstacle);
    if (waiting.call.isWanted) this.#behind.set(id, new Set([waiting, ...(this.#behind.get(id) ?? [])]));
  }

  /** Rejects the calls that waited when the batch was created; later ones may still be sent. */
  #rejectUnbegun(batch: LaneBatch<Item, Result>, error: unknown): void {
    for (const waiting of batch.waitings) {
      if (waiting.call.begunAt > batch.createdAt) continue;
      this.#remove(waiting);
      waiting.call.reject(error);
    }
  }

  get waitings(): Waitings<Item, Result> {
    return [...this.#ready.values()].flatMap((waitings) => [...waitings]);
  }

  /** Takes at most one call of each id. */
  take(): Waitings<Item, Result> {
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
