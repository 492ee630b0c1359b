import { MemoryStore } from '../../src/stores/index.js';
import { describeStore } from '../support/stores/contract/store-contract.js';
import { withSealedSecrets } from '../support/stores/seal.js';

const open = async () => {
  const { keys, clients, counters } = new MemoryStore();
  return { keys, clients, counters, close: async () => {} };
};

describeStore('MemoryStore', open);
describeStore('MemoryStore, sealed', withSealedSecrets(open));
