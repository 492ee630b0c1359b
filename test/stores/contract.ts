import { afterEach, beforeEach, describe } from 'vitest';
import type { CounterStore, KeyStore } from '../../src/stores/index.js';
import { describeConcurrency } from './contract/concurrency.js';
import { describeCounterStore } from './contract/counter-store.js';
import { describeKeyStore } from './contract/key-store.js';

export interface OpenStore {
  keys: KeyStore;
  counters: CounterStore;
  close(): Promise<void>;
}

/** What every engine must do: `open` gives an empty store each time. */
export function describeStore(name: string, open: () => Promise<OpenStore>): void {
  describe(name, () => {
    let store: OpenStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close());

    describe('keys', () => describeKeyStore(() => store.keys));
    describe('counters', () => describeCounterStore(() => store.counters));
    describe('keys and counters', () => describeConcurrency(() => store));
  });
}
