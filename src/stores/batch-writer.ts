/** A batch that a writer has begun with. */
export interface Batch<Item> {
  /**
   * The items to send now, of which others may still join until then; none where nobody waits any more. `hasBegun` says
   * of each, by its place, whether its write was begun, where that can be known; if it says no, it must never be begun.
   */
  take(hasBegun?: (place: number) => boolean): readonly Item[];
  /** Whether somebody waits for it. */
  readonly isWanted: boolean;
  /** What keeps it from being sent, for those who wait: the cause of the error they get at their deadline. */
  waitsFor(obstacle: unknown): void;
}

/** What a batcher knows of the engine below it. */
export interface BatchWriter<Item, Result> {
  /**
   * Writes one batch in one transaction, and gives a result for each item, in their order. It settles within the
   * store's timeout of having its connection.
   */
  write(batch: Batch<Item>): Promise<readonly Result[]>;
  /** Whether the database said that it wrote nothing. */
  isRefusal(error: unknown): boolean;
  /** Whether it refused because somebody keeps one of the rows locked: each is tried again by itself. */
  isLocked(error: unknown): boolean;
  /** Whether it refused because of one of the items: the others go on without it. */
  isItemFault(error: unknown): boolean;
  /** How many batches may be on their way at once. */
  readonly atOnce: number;
  /**
   * Milliseconds after which a batch leaves its place to another, whether it waits for a connection or for an answer.
   * Undefined: it never does.
   */
  readonly slowMs?: number | undefined;
}
