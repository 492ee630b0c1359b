import { assertOptions, type OptionNames } from '../../options.js';
import type { DefineTest, TestRunner } from '../test-runner.js';
import { describeClientStore } from './client-store-contract.js';
import { describeCounterStore, describeCounterTransfer } from './counter-store-contract.js';
import { describeKeyStore } from './key-store-contract.js';
import { describeKeysAndCounters } from './keys-and-counters-contract.js';
import type { OpenStore } from './open-store.js';
import { describeReopenedStore } from './reopened-store-contract.js';

export interface StoreContractOptions<Store extends OpenStore = OpenStore> {
  /** Opens an empty store, for each test a new one. */
  open(): Promise<Store>;
  /**
   * Opens the data of a store that was closed. With it, the contract also checks that everything is still there. Leave
   * it out for an engine that keeps nothing.
   */
  reopen?: ((closed: Store) => Promise<OpenStore>) | undefined;
}

const OPTION_NAMES: OptionNames<StoreContractOptions> = {
  open: true,
  reopen: true,
};

/**
 * Defines the tests that every engine of keys, clients and counters passes. They cover what `KeyStore`, `ClientStore` and
 * `CounterStore` promise, including calls at the same time within one process. They do not cover crashes, lost answers,
 * deadlines, or several processes.
 *
 * Each test opens a store of its own. The longest one makes about 500 writes, some of them at once.
 *
 * @throws TypeError for a missing or unknown option.
 */
export function describeStoreContract<Store extends OpenStore>(
  runner: TestRunner,
  name: string,
  options: StoreContractOptions<Store>,
): void {
  assertOptions('describeStoreContract', options, OPTION_NAMES);
  const { describe, it } = runner;
  const { open, reopen } = options ?? {};
  if (typeof open !== 'function')
    throw new TypeError('describeStoreContract requires open, which opens a store');
  const defineTest: DefineTest<OpenStore> = (title, test) =>
    it(title, async () => {
      const store = await open();
      try {
        await test(store);
      } finally {
        await store.close();
      }
    });
  describe(name, () => {
    describe('keys', () => describeKeyStore((title, test) => defineTest(title, ({ keys }) => test(keys))));
    describe('clients', () =>
      describeClientStore((title, test) => defineTest(title, ({ clients }) => test(clients))));
    describe('counters', () =>
      describeCounterStore((title, test) => defineTest(title, ({ counters }) => test(counters))));
    describe('import and export of counters', () =>
      describeCounterTransfer((title, test) => defineTest(title, ({ counters }) => test(counters))));
    describe('keys and counters', () => describeKeysAndCounters(defineTest));
    if (reopen) describe('a reopened store', () => describeReopenedStore(it, open, reopen));
  });
}
