import { MemoryStore } from '../../src/stores/index.js';
import { withSealedSecrets } from '../support/stores/seal.js';
import { describeStore } from '../support/stores/store-contract.js';

const open = async () => {
  const { keys, clients, counters } = new MemoryStore();
  return { keys, clients, counters, close: async () => {} };
};

describeStore('MemoryStore', open);
describeStore('MemoryStore, sealed', withSealedSecrets(open));
