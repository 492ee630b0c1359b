/** A batch that a writer has started on. */
export interface Batch<Item> {
  /**
   * Takes the items to send now; others may join the batch until this call. Empty if no caller waits any longer.
   * `hasBegun` tells, by an item's index, whether its write has begun, where the engine can know; once it has answered
   * false, the write must never begin.
   */
  take(hasBegun?: (index: number) => boolean): readonly Item[];
  /** Whether any caller still waits for it. */
  readonly isWanted: boolean;
  /** Records what keeps the batch from being sent: the cause of the error that its callers get at their deadline. */
  waitsFor(obstacle: unknown): void;
}

/** The engine below a batcher. */
export interface BatchWriter<Item, Result> {
  /**
   * Writes a batch in one transaction, and resolves with a result for each item, in their order. It settles within the
   * store's timeout, counted from when it got its connection.
   */
  write(batch: Batch<Item>): Promise<readonly Result[]>;
  /** Whether the database reported that it wrote nothing. */
  isRefusal(error: unknown): boolean;
  /** Whether it refused because another transaction locks one of the rows: each item is then retried on its own. */
  isLocked(error: unknown): boolean;
  /** Whether it refused because of a single item: the others are then written without it. */
  isItemFault(error: unknown): boolean;
  /** How many batches may be in flight at once. */
  readonly atOnce: number;
  /**
   * Milliseconds after which a batch no longer counts as in flight, whether it waits for a connection or for an answer.
   * Undefined: it always counts.
   */
  readonly slowMs?: number | undefined;
}
