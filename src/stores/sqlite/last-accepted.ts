import type { AdvanceRow, SqlRow } from '../sql/sql-stores.js';

/** So many keys are known, some 100 bytes each. */
const MOST_KEYS = 100_000;

/** Reads what {@link LastAccepted} begins with: as many keys as it knows, whichever, so that this takes no long time. */
export const FIRST_TOUCHES = `SELECT id, usage_counter, session_use FROM yubikey_counters LIMIT ${MOST_KEYS}`;

/** The highest counters that this process has read or accepted of the keys it knows: no row may go below them. */
export class LastAccepted {
  readonly #touches = new Map<string, number>();

  begin(rows: readonly SqlRow[]): void {
    for (const { id, usage_counter, session_use } of rows) {
      const known = this.#touches.get(String(id)) ?? -1;
      this.#touches.set(String(id), Math.max(known, touchOf(usage_counter, session_use)));
    }
    this.#forgetOldest();
  }

  /** Takes what a batch advanced; false where a row held lower counters than were accepted before. */
  take(rows: readonly AdvanceRow[], rowOf: ReadonlyMap<unknown, SqlRow>): boolean {
    let isRising = true;
    for (const { id, values } of rows) {
      const row = rowOf.get(id);
      if (!row) continue;
      const [, usageCounter, sessionUse] = values;
      const before =
        row.previous_accepted_at === null
          ? -1
          : touchOf(row.previous_usage_counter, row.previous_session_use);
      if (before < (this.#touches.get(id) ?? -1)) isRising = false;
      this.#touches.delete(id);
      this.#touches.set(id, touchOf(usageCounter, sessionUse));
    }
    this.#forgetOldest();
    return isRising;
  }

  #forgetOldest(): void {
    for (const id of this.#touches.keys()) {
      if (this.#touches.size <= MOST_KEYS) return;
      this.#touches.delete(id);
    }
  }
}

/** In the order of the touches: a session use has 8 bits. */
const touchOf = (usageCounter: unknown, sessionUse: unknown) =>
  256 * Number(usageCounter) + Number(sessionUse);
