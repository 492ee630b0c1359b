import type { KeyStore } from '../../../src/stores/index.js';

/** The same store with some of its methods replaced. */
export function around(store: KeyStore, changes: Partial<KeyStore>): KeyStore {
  return {
    get: (id) => store.get(id),
    add: (key) => store.add(key),
    replace: (expected, change) => store.replace(expected, change),
    list: (options) => store.list(options),
    delete: (id) => store.delete(id),
    ...changes,
  };
}
