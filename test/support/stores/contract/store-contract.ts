import { afterEach, beforeEach, describe } from 'vitest';
import type { ClientStore, CounterStore, KeyStore } from '../../../../src/stores/index.js';
import { describeClientStore } from './client-store.js';
import { describeConcurrency } from './concurrency.js';
import { describeCounterStore, describeCounterTransfer } from './counter-store.js';
import { describeKeyStore } from './key-store.js';
import { describeSmoke } from './smoke.js';

export interface OpenStore {
  keys: KeyStore;
  clients: ClientStore;
  counters: CounterStore;
  close(): Promise<void>;
}

/** Returns an empty store each time. */
export type Open = () => Promise<OpenStore>;

function withEach(open: Open): () => OpenStore {
  let store: OpenStore;
  beforeEach(async () => {
    store = await open();
  });
  afterEach(() => store.close());
  return () => store;
}

/** The contract of every engine. */
export function describeStore(name: string, open: Open): void {
  describe(name, () => {
    const store = withEach(open);
    describe('keys', () => describeKeyStore(() => store().keys));
    describe('clients', () => describeClientStore(() => store().clients));
    describe('counters', () => describeCounterStore(() => store().counters));
    describe('import and export of counters', () => describeCounterTransfer(() => store().counters));
    describe('keys and counters', () => describeConcurrency(store));
  });
}

/**
 * A smoke test of the contract, for combinations whose parts have the whole contract elsewhere: another driver, client or
 * wrapper. `contract.long.test.ts` runs the whole contract with each of them.
 */
export function describeStoreSmoke(name: string, open: Open): void {
  describe(name, () => {
    const store = withEach(open);
    describeSmoke(store);
    describeConcurrency(store);
  });
}
