export { CachedClientStore, CachedKeyStore } from './cached.js';
export {
  Keyring,
  type KeyringOptions,
  masterKeyIdOf,
  newMasterKey,
  parseKeyring,
  type SealedKind,
} from './keyring.js';
export { MemoryStore } from './memory.js';
export {
  type PostgresClient,
  type PostgresPool,
  PostgresStore,
  type PostgresStoreOptions,
} from './postgres.js';
export type { SendCommand } from './redis/commands.js';
export { RedisStore, type RedisStoreOptions } from './redis.js';
export { type ResealProgress, SealedClientStore, SealedKeyStore } from './sealed.js';
export {
  type SqliteDatabase,
  type SqliteDriver,
  type SqliteFault,
  type SqliteStatement,
  SqliteStore,
  type SqliteStoreOptions,
} from './sqlite.js';
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
