import type { Callers, Claims } from '../callers.js';

/**
 * Items to write in one transaction, as an engine gets them. Others may join until the engine fixes them; an item whose
 * caller gave up before the write began must never be written.
 */
export interface Batch<Item> extends Callers {
  /** What to write now, each item with an id of its own. Empty until it is fixed. */
  readonly items: readonly Item[];
  /** Fixes the items, so that no other joins. When called again, drops those whose callers have given up meanwhile. */
  fix(): void;
  /** Fixes the items, and begins to write them. Returns false if there are none. */
  beginWrite(): boolean;
  /** Leaves it to another thread to begin each of the items that were fixed. */
  handOver(claims: Claims): void;
}

/** The engine below a batcher. */
export interface BatchWriter<Item, Result> {
  /**
   * Writes a batch in one transaction, and resolves with a result for each of its items, in their order. It settles
   * within the store's timeout, counted from when it got its connection.
   */
  write(batch: Batch<Item>): Promise<readonly Result[]>;
  /** Tells what an error of `write` means. */
  classifyFault(error: unknown): WriteFault;
  /** How many batches may be in flight at once. */
  readonly atOnce: number;
  /**
   * Milliseconds after which a batch no longer counts as in flight, whether it waits for a connection or for an answer.
   * Undefined: it always counts.
   */
  readonly slowMs?: number | undefined;
}

/** `UNANSWERED`: the batch may have been written. All others: the database reported that it wrote nothing. */
export type WriteFault =
  | 'UNANSWERED'
  | 'REFUSED'
  /** Because of a single item: the others are then written without it. */
  | 'ITEM_REFUSED'
  /** Because another transaction locks a row: each item is then retried on its own. */
  | 'LOCKED';
