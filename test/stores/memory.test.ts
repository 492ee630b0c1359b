import { MemoryStore } from '../../src/stores/index.js';
import { describeStore } from './contract.js';

describeStore('MemoryStore', async () => {
  const { keys, counters } = new MemoryStore();
  return { keys, counters, close: async () => {} };
});
