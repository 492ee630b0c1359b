import { MemoryStore } from '../../src/stores/index.js';
import { describeStoreAndSealed } from '../support/stores/seal.js';

describeStoreAndSealed('MemoryStore', async () => {
  const { keys, clients, counters } = new MemoryStore();
  return { keys, clients, counters, close: async () => {} };
});
