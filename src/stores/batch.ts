/** What a batcher knows of the engine below it. */
export interface BatchWriter<Item, Result> {
  /**
   * Writes one batch in one transaction, and gives a result for each item, in their order. It takes the batch
   * as late as it can, since others still join until then. The longest waiting call waits since `since`.
   */
  write(take: () => readonly Item[], since: number): Promise<readonly Result[]>;
  /** Whether an error means that nothing was written because of one of the items: the others go on without it. */
  isFaultOfOne(error: unknown): boolean;
  /** How many batches may be on their way at once. */
  readonly atOnce: number;
}

interface Call<Item, Result> {
  readonly item: Item;
  readonly since: number;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/** Also bounds how long one batch keeps an embedded database, and so the event loop, busy. */
const MOST_IN_BATCH = 128;

/**
 * Lets calls that come together share one write. The calls of one turn of the event loop make a batch, and so do
 * those that come while no further batch may be on its way; a lone call waits for no timer. A batch holds each id
 * once: a second call with an id waits until the first one is done. What a batch rejects with, all in it reject with.
 *
 * Nothing bounds how many calls wait: whoever takes requests limits them.
 */
export class Batcher<Item extends { readonly id: string }, Result> {
  /** The calls of each id that has none on its way, in the order they came. */
  private readonly ready = new Map<string, Call<Item, Result>[]>();
  /** The calls that wait behind one that is on its way. */
  private readonly behind = new Map<string, Call<Item, Result>[]>();
  private running = 0;
  private isScheduled = false;

  constructor(private readonly writer: BatchWriter<Item, Result>) {}

  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      const call = { item, since: Date.now(), resolve, reject };
      const calls = this.behind.get(item.id) ?? this.ready.get(item.id);
      if (calls) calls.push(call);
      else this.ready.set(item.id, [call]);
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.isScheduled || this.running === this.writer.atOnce || this.ready.size === 0) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      void this.run();
    });
  }

  private async run(): Promise<void> {
    this.running++;
    const heads = [...this.ready.values()].map(([call]) => call as Call<Item, Result>);
    const since = heads.reduce((oldest, call) => Math.min(oldest, call.since), Number.POSITIVE_INFINITY);
    const taken = this.write((until) => this.take(until), since);
    this.schedule();
    const batch = await taken;
    this.running--;
    this.release(batch);
    this.schedule();
  }

  /** Settles every call that it takes. Where nothing could be begun, those that came later may still try. */
  private async write(
    take: (until?: number) => Call<Item, Result>[],
    since: number,
  ): Promise<readonly Call<Item, Result>[]> {
    let batch: Call<Item, Result>[] | undefined;
    const takeItems = () => {
      batch ??= take();
      return batch.map(({ item }) => item);
    };
    try {
      const results = await this.writer.write(takeItems, since);
      batch?.forEach((call, n) => {
        call.resolve(results[n] as Result);
      });
    } catch (error) {
      batch ??= take(since);
      await this.fail(batch, error);
    }
    return batch ?? [];
  }

  private async fail(batch: readonly Call<Item, Result>[], error: unknown): Promise<void> {
    if (batch.length <= 1 || !this.writer.isFaultOfOne(error)) {
      for (const call of batch) call.reject(error);
      return;
    }
    const middle = batch.length >> 1;
    for (const half of [batch.slice(0, middle), batch.slice(middle)]) {
      await this.write(() => half, Date.now());
    }
  }

  /** Takes calls that came until then, at most one of each id. */
  private take(until = Number.POSITIVE_INFINITY): Call<Item, Result>[] {
    const batch: Call<Item, Result>[] = [];
    for (const [id, calls] of this.ready) {
      if (batch.length === MOST_IN_BATCH) break;
      if ((calls[0] as Call<Item, Result>).since > until) continue;
      batch.push(calls.shift() as Call<Item, Result>);
      this.ready.delete(id);
      this.behind.set(id, calls);
    }
    return batch;
  }

  private release(batch: readonly Call<Item, Result>[]): void {
    for (const { item } of batch) {
      const calls = this.behind.get(item.id);
      this.behind.delete(item.id);
      if (calls?.length) this.ready.set(item.id, calls);
    }
  }
}
