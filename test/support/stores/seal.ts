import { Keyring, newMasterKey, SealedClientStore, SealedKeyStore } from '../../../src/stores/index.js';
import type { Open } from './store-contract.js';

const keyring = new Keyring({ keys: { first: newMasterKey() }, current: 'first' });

/** Opens the same store with its secrets sealed. */
export function withSealedSecrets(open: Open): Open {
  return async () => {
    const { keys, clients, ...rest } = await open();
    return {
      keys: new SealedKeyStore(keys, keyring),
      clients: new SealedClientStore(clients, keyring),
      ...rest,
    };
  };
}
