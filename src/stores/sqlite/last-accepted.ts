import type { AdvanceRow, SqlRow } from '../sql.js';

/** So many keys are known, some 100 bytes each. */
const MOST_KEYS = 100_000;

/** The highest counters of the keys whose OTPs this process has accepted last: no row may go below them. */
export class LastAccepted {
  private readonly touches = new Map<string, number>();

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
      if (before < (this.touches.get(id) ?? -1)) isRising = false;
      this.touches.delete(id);
      this.touches.set(id, touchOf(usageCounter, sessionUse));
    }
    this.forgetOldest();
    return isRising;
  }

  private forgetOldest(): void {
    for (const id of this.touches.keys()) {
      if (this.touches.size <= MOST_KEYS) return;
      this.touches.delete(id);
    }
  }
}

/** In the order of the touches: a session use has 8 bits. */
const touchOf = (usageCounter: unknown, sessionUse: unknown) =>
  256 * Number(usageCounter) + Number(sessionUse);
