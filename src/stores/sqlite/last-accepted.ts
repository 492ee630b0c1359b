import type { AdvanceRow } from '../sql/advance-statement.js';
import type { SqlRow } from '../sql/sql-runner.js';
import { readStatement } from '../sql/statement.js';

/** How many keys are remembered, at about 100 bytes each. */
const MAX_KEYS = 100_000;

/** Selects the rows that {@link LastAccepted} loads first: an arbitrary selection, limited so that it takes little time. */
export const FIRST_COUNTERS_TO_REMEMBER = readStatement(
  `SELECT id, usage_counter, session_use FROM yubikey_counters LIMIT ${MAX_KEYS}`,
);

/** The highest counters that this process has read or accepted, by key. No row may hold lower ones. */
export class LastAccepted {
  readonly #orders = new Map<string, number>();

  load(rows: readonly SqlRow[]): void {
    for (const { id, usage_counter, session_use } of rows) {
      const known = this.#orders.get(String(id)) ?? -1;
      this.#orders.set(String(id), Math.max(known, touchOrder(usage_counter, session_use)));
    }
    this.#forgetOldest();
  }

  /** Records the rows that a batch advanced. Returns false if one of them held lower counters than were accepted before. */
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
      if (this.#orders.size <= MAX_KEYS) return;
      this.#orders.delete(id);
    }
  }
}

/** A number that orders the touches of a key: a session use has 8 bits. */
const touchOrder = (usageCounter: unknown, sessionUse: unknown) =>
  256 * Number(usageCounter) + Number(sessionUse);
