import { describe, expect, expectTypeOf, it } from 'vitest';
import type { BatchWriter } from '../../../src/stores/batching/batch.js';
import { OpenCalls } from '../../../src/stores/open-calls.js';
import {
  advanceInPostgres,
  findInPostgres,
  postgresPlaceholder,
} from '../../../src/stores/postgres/postgres-dialect.js';
import type { AdvanceRow } from '../../../src/stores/sql/advance-statement.js';
import type { SqlRow } from '../../../src/stores/sql/sql-runner.js';
import { sqlStores } from '../../../src/stores/sql/sql-stores.js';
import type { readStatement, Selection, Statement } from '../../../src/stores/sql/statement.js';
import {
  ADVANCE_IN_SQLITE,
  encodeAdvanceRows,
  findInSqlite,
  sqlitePlaceholder,
} from '../../../src/stores/sqlite/sqlite-dialect.js';

const ROW = { id: 'c', aes_key: new Uint8Array(16), private_id: null, revision: 'r', notes: '', active: 1 };
const NO_BATCHES: BatchWriter<AdvanceRow, SqlRow | undefined> = {
  write: async () => [],
  classifyFault: () => 'UNANSWERED',
  atOnce: 1,
};

/** Every statement that the stores run in a dialect, with the number of its parameters. */
async function collectStatements(
  placeholder: (position: number) => string,
  find: (selection: Selection) => Statement,
): Promise<{ statement: Statement; count: number }[]> {
  const run: { statement: Statement; count: number }[] = [];
  const { keys, clients, counters } = sqlStores(
    {
      placeholder,
      run: async (statement, parameters) => {
        run.push({ statement, count: parameters.length });
        return [];
      },
      prepareFind: (selection) => async () => {
        run.push({ statement: find(selection), count: 1 });
        return ROW;
      },
    },
    NO_BATCHES,
    new OpenCalls('TestStore'),
  );
  const key = await keys.get('c');
  await keys.add({ publicId: 'c', aesKey: ROW.aes_key });
  if (key) await keys.replace(key, { notes: 'new' });
  await keys.delete('c');
  await clients.add({ id: '1', apiKey: ROW.aes_key });
  await counters.get('c');
  for (const store of [keys, clients, counters]) {
    await store.list();
    await store.list({ after: 'c' });
  }
  return run;
}

const advanceRow = (id: string): AdvanceRow => ({ id, values: [id, 1, 2, 3, null, 4] });

describe('the statements of PostgreSQL', () => {
  const countPlaceholders = (sql: string) => [...sql.matchAll(/\$\d+/g)].map(([name]) => name);
  const inOrder = (count: number) => Array.from({ length: count }, (_, n) => `$${n + 1}`);

  it.each(['one', 'many'] as const)('have their parameters in order, with find for %s', async (how) => {
    const statements = await collectStatements(
      postgresPlaceholder,
      (selection) => findInPostgres(selection)[how],
    );
    expect(statements.length).toBeGreaterThan(10);
    for (const { statement, count } of statements) {
      expect(countPlaceholders(statement.sql), statement.sql).toEqual(inOrder(count));
    }
  });

  it('advance one row by a value for each column, and many by an array for each', () => {
    const one = advanceInPostgres([advanceRow('a')]);
    expect(one.parameters).toEqual(['a', 1, 2, 3, null, 4]);
    const many = advanceInPostgres([advanceRow('a'), advanceRow('b')]);
    expect(many.parameters).toEqual([
      ['a', 'b'],
      [1, 1],
      [2, 2],
      [3, 3],
      [null, null],
      [4, 4],
    ]);
    for (const { statement, parameters } of [one, many]) {
      expect(statement.kind).toBe('write');
      expect(countPlaceholders(statement.sql)).toEqual(inOrder(parameters.length));
    }
  });
});

describe('the statements of SQLite', () => {
  const countPlaceholders = (sql: string) => sql.split('?').length - 1;

  it('have as many placeholders as parameters', async () => {
    for (const { statement, count } of await collectStatements(sqlitePlaceholder, findInSqlite)) {
      expect(countPlaceholders(statement.sql), statement.sql).toBe(count);
    }
  });

  it('advance all rows by one parameter', () => {
    expect(ADVANCE_IN_SQLITE.kind).toBe('write');
    expect(countPlaceholders(ADVANCE_IN_SQLITE.sql)).toBe(1);
    expect(encodeAdvanceRows([advanceRow('a'), advanceRow('b')])).toBe(
      '[["a",1,2,3,null,4],["b",1,2,3,null,4]]',
    );
  });
});

describe('a statement', () => {
  it('is a read if and only if it selects', async () => {
    for (const { statement } of await collectStatements(sqlitePlaceholder, findInSqlite)) {
      expect(statement.kind, statement.sql).toBe(statement.sql.startsWith('SELECT ') ? 'read' : 'write');
    }
  });

  it('that writes is no read to the compiler', () => {
    type Text = Parameters<typeof readStatement>[0];
    expectTypeOf<'SELECT 1'>().toExtend<Text>();
    expectTypeOf<'DELETE FROM yubikey_keys RETURNING id'>().not.toExtend<Text>();
    expectTypeOf<string>().not.toExtend<Text>();
    expectTypeOf<Statement>().not.toExtend<ReturnType<typeof readStatement>>();
  });
});
