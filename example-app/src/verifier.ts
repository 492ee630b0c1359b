import { CloudVerifier, KsmVerifier, LocalKsm, type Verifier } from 'passport-yubikey-otp';
import type { SqliteStore } from 'passport-yubikey-otp/stores';
import { type CloudConfig, ConfigError } from './config.js';

/** Checks OTPs with the keys of the app's own database: in demo mode, that of the virtual YubiKey. */
export function ownKeys({ keys, counters }: SqliteStore): Verifier {
  return new KsmVerifier({ ksm: new LocalKsm(keys), counters });
}

/** Asks validation servers, which hold the keys and the counters. */
export function validationServers(cloud: CloudConfig): CloudVerifier {
  try {
    return new CloudVerifier(cloud);
  } catch (error) {
    if (error instanceof TypeError) throw new ConfigError([error.message]);
    throw error;
  }
}
