import { afterEach, beforeEach, describe } from 'vitest';
import type { ClientStore, CounterStore, KeyStore } from '../../../../src/stores/index.js';
import { describeClientStore } from './client-store.js';
import { describeConcurrency } from './concurrency.js';
import { describeCounterStore, describeCounterTransfer } from './counter-store.js';
import { describeKeyStore } from './key-store.js';

export interface OpenStore {
  keys: KeyStore;
  clients: ClientStore;
  counters: CounterStore;
  close(): Promise<void>;
}

/** The contract of every engine. `open` returns an empty store each time. */
export function describeStore(name: string, open: () => Promise<OpenStore>): void {
  describe(name, () => {
    let store: OpenStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close());

    describe('keys', () => describeKeyStore(() => store.keys));
    describe('clients', () => describeClientStore(() => store.clients));
    describe('counters', () => describeCounterStore(() => store.counters));
    describe('import and export of counters', () => describeCounterTransfer(() => store.counters));
    describe('keys and counters', () => describeConcurrency(() => store));
  });
}
