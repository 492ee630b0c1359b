import { expect, it } from 'vitest';
import { classifySqliteFault, Uncertain } from '../../../src/stores/sqlite/sqlite-faults.js';

const failure = (codes: { code?: string; errcode?: number }) => Object.assign(new Error('failed'), codes);

it.each([
  ['a violated constraint, by libsql,', 'ITEM_REFUSED', failure({ code: 'SQLITE_CONSTRAINT_NOTNULL' })],
  [
    'a violated constraint, by node:sqlite,',
    'ITEM_REFUSED',
    failure({ code: 'ERR_SQLITE_ERROR', errcode: 1299 }),
  ],
  ['a value that the driver cannot bind', 'ITEM_REFUSED', new TypeError('cannot be bound')],
  ['a locked file', 'REFUSED', failure({ code: 'SQLITE_BUSY' })],
  ['a full disk', 'REFUSED', failure({ code: 'SQLITE_FULL' })],
  ['a commit that failed', 'UNANSWERED', new Uncertain('COMMIT failed', failure({ code: 'SQLITE_IOERR' }))],
  [
    'a constraint that a commit reports',
    'UNANSWERED',
    new Uncertain('COMMIT failed', failure({ code: 'SQLITE_CONSTRAINT' })),
  ],
] as const)('in SQLite, %s means %s', (_, fault, error) => {
  expect(classifySqliteFault(error)).toBe(fault);
});
