import { afterEach, beforeEach, describe, it } from 'vitest';
import { describeStoreContract, type OpenStore } from '../../../src/testing/index.js';
import { describeKeysAndCounters } from '../../../src/testing/store-contract/keys-and-counters-contract.js';
import { describeSmoke } from './smoke.js';

/** Returns an empty store each time. */
export type Open = () => Promise<OpenStore>;

/** The published contract, run by Vitest. */
export function describeStore<Store extends OpenStore>(
  name: string,
  open: () => Promise<Store>,
  reopen?: (closed: Store) => Promise<OpenStore>,
): void {
  describeStoreContract({ describe, it }, name, { open, reopen });
}

/**
 * A smoke test of the contract, for combinations whose parts have the whole contract elsewhere: another driver, client or
 * wrapper. `contract.long.test.ts` runs the whole contract with each of them.
 */
export function describeStoreSmoke(name: string, open: Open): void {
  describe(name, () => {
    let store: OpenStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close());
    describeSmoke(() => store);
    describeKeysAndCounters((title, test) => it(title, () => test(store)));
  });
}
