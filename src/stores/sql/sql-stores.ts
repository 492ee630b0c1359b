import type { BatchWriter } from '../batching/batch.js';
import type { OpenCalls } from '../open-calls.js';
import { CLIENT, createClientStore, createKeyStore, YUBIKEY } from '../records.js';
import type { ClientStore, CounterStore, KeyStore } from '../store.js';
import type { AdvanceRow } from './advance-statement.js';
import { SqlCounterStore } from './sql-counters.js';
import type { SqlRow, SqlRunner } from './sql-runner.js';
import { SqlTable } from './sql-table.js';

/**
 * The three stores in a database that understands the SQL common to SQLite and PostgreSQL.
 *
 * @param advance Writes batches by `advanceStatement`. A row's result is the row that this returned, or undefined if the
 * row was not newer.
 */
export function sqlStores(
  sql: SqlRunner,
  advance: BatchWriter<AdvanceRow, SqlRow | undefined>,
  calls: OpenCalls,
): { keys: KeyStore; clients: ClientStore; counters: CounterStore } {
  return {
    keys: createKeyStore(new SqlTable('yubikey_keys', YUBIKEY, sql)),
    clients: createClientStore(new SqlTable('yubikey_clients', CLIENT, sql)),
    counters: new SqlCounterStore(sql, advance, calls),
  };
}
