export { MemoryStore } from './memory.js';
export { type SqliteDatabase, type SqliteStatement, SqliteStore, type SqliteStoreOptions } from './sqlite.js';
export type { Advance, CounterRecord, CounterStore, KeyPage, KeyRecord, KeyStore, NewKey } from './store.js';
