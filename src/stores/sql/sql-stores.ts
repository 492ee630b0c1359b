import type { BatchWriter } from '../batch-writer.js';
import type { Calls } from '../calls.js';
import { CLIENT, Records, YUBIKEY } from '../records.js';
import type { ClientStore, CounterStore, KeyStore } from '../store.js';
import { type AdvanceRow, SqlCounterStore } from './sql-counters.js';
import type { FindSql, RunSql, SqlRow } from './sql-runner.js';
import { SqlTable } from './sql-table.js';

export { Finder } from './finder.js';
export { migrationsFrom, SCHEMA_TABLE, SCHEMA_VERSION } from './schema.js';
export { ADVANCE_MANY, ADVANCE_MANY_JSON, ADVANCE_ONE, type AdvanceRow } from './sql-counters.js';
export { type FindSql, forManyIds, isRead, type RunSql, type SqlRow, type SqlValue } from './sql-runner.js';

/**
 * The three stores in a database that understands the SQL common to SQLite and PostgreSQL. `advance` resolves with
 * the row that {@link ADVANCE_ONE} and its variants return, or undefined if the counters are not newer.
 */
export function sqlStores(
  run: RunSql,
  advance: BatchWriter<AdvanceRow, SqlRow | undefined>,
  find: FindSql,
  calls: Calls,
): { keys: KeyStore; clients: ClientStore; counters: CounterStore } {
  const sql = { run, find };
  return {
    keys: new Records(YUBIKEY, new SqlTable('yubikey_keys', YUBIKEY, sql)),
    clients: new Records(CLIENT, new SqlTable('yubikey_clients', CLIENT, sql)),
    counters: new SqlCounterStore(sql, advance, calls),
  };
}
