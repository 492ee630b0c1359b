import { type Selection, type WriteStatement, writeStatement } from './statement.js';

/** The values that one call of `advance` writes, in the order of the columns of {@link advanceStatement}. */
export type AdvanceValues = readonly [
  id: string,
  usageCounter: number,
  sessionUse: number,
  timestamp: number,
  nonce: string | null,
  acceptedAt: number,
];

export interface AdvanceRow {
  readonly id: string;
  readonly values: AdvanceValues;
}

/**
 * The statement whose effect is the verdict: it writes each row that is newer than the stored one, and returns the
 * rows that it wrote. Each engine has its own way to pass rows.
 *
 * @param rows A `SELECT` of {@link AdvanceValues} and then the number 1, for different ids. It has a `WHERE`, without which
 * SQLite would take `ON CONFLICT` for a part of it.
 */
export function advanceStatement(rows: Selection): WriteStatement {
  return writeStatement(`INSERT INTO yubikey_counters AS last
    (id, usage_counter, session_use, clock, nonce, accepted_at, accepted_count)
  ${rows}
  ON CONFLICT (id) DO UPDATE SET
    previous_usage_counter = last.usage_counter,
    previous_session_use = last.session_use,
    previous_clock = last.clock,
    previous_accepted_at = last.accepted_at,
    usage_counter = excluded.usage_counter,
    session_use = excluded.session_use,
    clock = excluded.clock,
    nonce = excluded.nonce,
    accepted_at = excluded.accepted_at,
    accepted_count = last.accepted_count + 1
  WHERE (excluded.usage_counter, excluded.session_use) > (last.usage_counter, last.session_use)
  RETURNING id, accepted_count,
    previous_usage_counter, previous_session_use, previous_clock, previous_accepted_at`);
}
