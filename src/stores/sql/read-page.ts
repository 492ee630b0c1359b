import type { SqlRow, SqlRunner } from './sql-runner.js';
import { readStatement, type Selection } from './statement.js';

/** Reads the rows that follow an id, or the first ones, in the order of their ids. */
export type ReadPage = (after: string | undefined, limit: number) => Promise<SqlRow[]>;

export function prepareReadPage(sql: SqlRunner, selection: Selection): ReadPage {
  const [one, two] = [sql.placeholder(1), sql.placeholder(2)];
  const first = readStatement(`${selection} ORDER BY id LIMIT ${one}`);
  const next = readStatement(`${selection} WHERE id > ${one} ORDER BY id LIMIT ${two}`);
  return (after, limit) => (after === undefined ? sql.run(first, [limit]) : sql.run(next, [after, limit]));
}
