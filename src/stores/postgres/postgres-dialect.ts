import { type AdvanceRow, advanceStatement } from '../sql/advance-statement.js';
import { type ReadStatement, readStatement, type Selection, type WriteStatement } from '../sql/statement.js';

export const postgresPlaceholder = (position: number) => `$${position}`;

/** Finds rows by one id, or by an array of ids: a single id has a statement of its own, which is planned faster. */
export interface PostgresFind {
  readonly one: ReadStatement;
  readonly many: ReadStatement;
}

export const findInPostgres = (selection: Selection): PostgresFind => ({
  one: readStatement(`${selection} WHERE id = $1`),
  many: readStatement(`${selection} WHERE id = ANY ($1::text[])`),
});

/**
 * Set in the statement itself, and for it alone: a row that another transaction locks must not delay other rows for long,
 * nor may this statement keep locks after its callers have given up.
 */
const LOCK_TIMEOUT = `(SELECT set_config('lock_timeout', '500ms', true)) IS NOT NULL`;

/** Advances one public ID, which is planned faster than many. */
const ADVANCE_ONE = advanceStatement(
  `SELECT $1::text, $2::integer, $3::integer, $4::integer, $5::text, $6::bigint, 1 WHERE ${LOCK_TIMEOUT}`,
);

/**
 * Advances many different public IDs, with an array for each column. All processes lock the rows in the same order, so
 * that they cannot deadlock.
 */
const ADVANCE_MANY = advanceStatement(
  `SELECT *, 1 FROM unnest($1::text[], $2::integer[], $3::integer[], $4::integer[], $5::text[], $6::bigint[]) AS new (id)
  WHERE ${LOCK_TIMEOUT}
  ORDER BY new.id COLLATE "C"`,
);

/** The statement that advances these rows, of which there is at least one, and its parameters. */
export function advanceInPostgres(rows: readonly AdvanceRow[]): {
  statement: WriteStatement;
  parameters: readonly unknown[];
} {
  const first = rows[0] as AdvanceRow;
  if (rows.length === 1) return { statement: ADVANCE_ONE, parameters: first.values };
  const columns = first.values.map((_, column) => rows.map(({ values }) => values[column]));
  return { statement: ADVANCE_MANY, parameters: columns };
}
