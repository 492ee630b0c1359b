export { assertAdvance } from './checks.js';
export { MemoryStore } from './memory-store.js';
export {
  type PostgresClient,
  type PostgresPool,
  PostgresStore,
  type PostgresStoreOptions,
} from './postgres/postgres-store.js';
export {
  createClientStore,
  createKeyStore,
  cutPage,
  type Row,
  type RowTable,
  readPageOptions,
} from './records.js';
export type { SendCommand } from './redis/redis-client.js';
export { RedisStore, type RedisStoreOptions } from './redis/redis-store.js';
export {
  type SqliteDatabase,
  type SqliteDriver,
  type SqliteFault,
  type SqliteStatement,
  SqliteStore,
  type SqliteStoreOptions,
} from './sqlite/sqlite-store.js';
export type {
  Advance,
  ClientRecord,
  ClientStore,
  CounterRecord,
  CounterStore,
  Durability,
  KeyRecord,
  KeyStore,
  ListedCounters,
  NewClient,
  NewKey,
  Page,
  PageOptions,
  RecordFields,
  RecordStore,
} from './store.js';
export { CachedClientStore, CachedKeyStore } from './wrappers/cached.js';
export {
  isMasterKeyId,
  Keyring,
  type KeyringOptions,
  masterKeyIdOf,
  newMasterKey,
  parseKeyring,
  type SealedKind,
} from './wrappers/keyring.js';
export { type ResealProgress, SealedClientStore, SealedKeyStore } from './wrappers/sealed.js';
