import type { AdvanceRow, SqlRow } from '../sql/sql-stores.js';

/** So many keys are known, some 100 bytes each. */
const MOST_KEYS = 100_000;

/** Reads what {@link LastAccepted} begins with: as many keys as it knows, whichever, so that this takes no long time. */
export const FIRST_TOUCHES = `SELECT id, usage_counter, session_use FROM yubikey_counters LIMIT ${MOST_KEYS}`;

/** The highest counters that this process has read or accepted of the keys it knows: no row may go below them. */
export class LastAccepted {
  readonly #orders = new Map<string, number>();

  load(rows: readonly SqlRow[]): void {
    for (const { id, usage_counter, session_use } of rows) {
      const known = this.#orders.get(String(id)) ?? -1;
      this.#orders.set(String(id), Math.max(known, touchOrder(usage_counter, session_use)));
    }
    this.#forgetOldest();
  }

  /** Takes what a batch advanced; false where a row held lower counters than were accepted before. */
  record(rows: readonly AdvanceRow[], rowsById: ReadonlyMap<unknown, SqlRow>): boolean {
    let isRising = true;
    for (const { id, values } of rows) {
      const row = rowsById.get(id);
      if (!row) continue;
      const [, usageCounter, sessionUse] = values;
      const before =
        row.previous_accepted_at === null
          ? -1
          : touchOrder(row.previous_usage_counter, row.previous_session_use);
      if (before < (this.#orders.get(id) ?? -1)) isRising = false;
      this.#orders.delete(id);
      this.#orders.set(id, touchOrder(usageCounter, sessionUse));
    }
    this.#forgetOldest();
    return isRising;
  }

  #forgetOldest(): void {
    for (const id of this.#orders.keys()) {
      if (this.#orders.size <= MOST_KEYS) return;
      this.#orders.delete(id);
    }
  }
}

/** In the order of the touches: a session use has 8 bits. */
const touchOrder = (usageCounter: unknown, sessionUse: unknown) =>
  256 * Number(usageCounter) + Number(sessionUse);
