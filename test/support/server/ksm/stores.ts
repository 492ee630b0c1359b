import {
  type CounterStore,
  Keyring,
  type KeyStore,
  MemoryStore,
  newMasterKey,
  SealedKeyStore,
  SqliteStore,
} from '../../../../src/stores/index.js';
import { drivers, openFor, type SqliteDriver, temporaryFile } from '../../stores/sqlite-drivers.js';

export interface Stores {
  keys: KeyStore;
  counters: CounterStore;
}

async function sqlite(): Promise<Stores> {
  const store = new SqliteStore({ database: openFor(drivers[0] as SqliteDriver, temporaryFile()) });
  await store.migrate();
  return store;
}

function sealed({ keys, counters }: Stores): Stores {
  const keyring = new Keyring({ keys: { first: newMasterKey() }, current: 'first' });
  return { keys: new SealedKeyStore(keys, keyring), counters };
}

/** The stores to test a KSM with. */
export const STORES: readonly { name: string; open: () => Promise<Stores> }[] = [
  { name: 'memory', open: async () => new MemoryStore() },
  { name: 'memory, sealed', open: async () => sealed(new MemoryStore()) },
  { name: 'SQLite', open: sqlite },
  { name: 'SQLite, sealed', open: async () => sealed(await sqlite()) },
];
