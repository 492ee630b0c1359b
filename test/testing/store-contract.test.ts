import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../../src/index.js';
import { describeStoreContract } from '../../src/testing/index.js';
import { CollectedTests } from '../support/testing/collected-tests.js';

// Faults of an engine that the contract finds are in test/recipes/own-store.integration.test.ts.

/** A store that is wrong in all respects, and counts how many of it are open. */
class DeadStore extends MemoryStore {
  static open = 0;
  static failed = async () => {
    throw new Error('down');
  };

  constructor() {
    super();
    DeadStore.open++;
    for (const store of [this.keys, this.clients, this.counters] as object[]) {
      const methods = ['get', 'add', 'replace', 'list', 'delete', 'advance'];
      Object.assign(store, Object.fromEntries(methods.map((name) => [name, DeadStore.failed])));
    }
  }

  async close() {
    DeadStore.open--;
  }
}

function collectTests(): CollectedTests {
  const collected = new CollectedTests();
  const open = async () => new DeadStore();
  describeStoreContract(collected, 'DeadStore', { open, reopen: open });
  return collected;
}

describe('the contract of a store', () => {
  it('has no test that a dead store passes, and closes each store', async () => {
    const collected = collectTests();
    const failed = await collected.run();
    expect(collected.tests.filter(({ name }) => !failed.has(name)).map(({ name }) => name)).toEqual([]);
    expect(DeadStore.open).toBe(0);
  });

  it('has tests without parameters, which Jest and Mocha would take for a callback', () => {
    expect(collectTests().tests.filter(({ run }) => run.length > 0)).toEqual([]);
  });

  it('has tests of a reopened store only for an engine that can be reopened', () => {
    const collected = new CollectedTests();
    describeStoreContract(collected, 'DeadStore', { open: async () => new DeadStore() });
    expect(collectTests().tests.length - collected.tests.length).toBe(3);
  });

  it('refuses unknown options', () => {
    const options = { open: async () => new DeadStore(), reOpen: undefined } as never;
    expect(() => describeStoreContract(new CollectedTests(), '', options)).toThrow(/did you mean reopen/);
  });
});
