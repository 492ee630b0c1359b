export { SoftYubikey, type SoftYubikeyOptions, type SoftYubikeyState } from './soft-yubikey.js';
export type { OpenStore } from './store-contract/open-store.js';
export {
  describeStoreContract,
  type StoreContractOptions,
} from './store-contract/store-contract.js';
export type { TestRunner } from './test-runner.js';
export {
  describeVerifierContract,
  type OpenVerifier,
  type VerifierContractOptions,
} from './verifier-contract.js';
