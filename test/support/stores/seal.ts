import { Keyring, newMasterKey, SealedClientStore, SealedKeyStore } from '../../../src/stores/index.js';
import { describeStore, type OpenStore } from './contract/store-contract.js';

const keyring = new Keyring({ keys: { first: newMasterKey() }, current: 'first' });

/** Tests the contract with an engine, and with the same engine under sealed stores. */
export function describeStoreAndSealed(name: string, open: () => Promise<OpenStore>): void {
  describeStore(name, open);
  describeStore(`${name}, sealed`, async () => {
    const { keys, clients, counters, close } = await open();
    return {
      keys: new SealedKeyStore(keys, keyring),
      clients: new SealedClientStore(clients, keyring),
      counters,
      close,
    };
  });
}
