import { type AdvanceRow, advanceStatement } from '../sql/advance-statement.js';
import { type ReadStatement, readStatement, type Selection } from '../sql/statement.js';

export const sqlitePlaceholder = () => '?';

/** The statement that finds a row by its id. Many ids cost SQLite one run of it each, and no round trip. */
export const findInSqlite = (selection: Selection): ReadStatement =>
  readStatement(`${selection} WHERE id = ?`);

/** Advances many different public IDs, given {@link encodeAdvanceRows}: binding the values one by one would cost more than the write. */
export const ADVANCE_IN_SQLITE = advanceStatement(
  'SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, 1 FROM json_each(?) WHERE true',
);

/** Encodes rows as one JSON array of arrays. */
export const encodeAdvanceRows = (rows: readonly AdvanceRow[]) =>
  JSON.stringify(rows.map(({ values }) => values));
