import type { ClientStore, CounterStore, KeyStore } from '../../stores/store.js';

/** A store that is open. An engine without keys or clients takes those of a `MemoryStore`. */
export interface OpenStore {
  keys: KeyStore;
  clients: ClientStore;
  counters: CounterStore;
  /** Ends what `open` or `reopen` began. */
  close(): Promise<void>;
}
