export { SoftYubikey, type SoftYubikeyOptions, type SoftYubikeyState } from './soft-yubikey.js';
