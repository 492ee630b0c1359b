import type { BatchWriter } from './batch.js';
import { CLIENT, Records, YUBIKEY } from './records.js';
import { type AdvanceRow, SqlCounterStore } from './sql/counters.js';
import type { RunSql, SqlRow } from './sql/run.js';
import { SqlTable } from './sql/table.js';
import type { ClientStore, CounterStore, KeyStore } from './store.js';

export { ADVANCE_MANY, ADVANCE_ONE, type AdvanceRow } from './sql/counters.js';
export type { RunSql, SqlRow, SqlValue } from './sql/run.js';
export { migrationsFrom, SCHEMA_TABLE, SCHEMA_VERSION } from './sql/schema.js';

/**
 * The three stores in any database that speaks the SQL of SQLite and PostgreSQL. `advance` writes what
 * {@link ADVANCE_ONE} or {@link ADVANCE_MANY} gives: a row, or none where the counters are not newer.
 */
export function sqlStores(
  run: RunSql,
  advance: BatchWriter<AdvanceRow, SqlRow | undefined>,
): { keys: KeyStore; clients: ClientStore; counters: CounterStore } {
  return {
    keys: new Records(YUBIKEY, new SqlTable('yubikey_keys', YUBIKEY, run)),
    clients: new Records(CLIENT, new SqlTable('yubikey_clients', CLIENT, run)),
    counters: new SqlCounterStore(run, advance),
  };
}
