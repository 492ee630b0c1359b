import { CloudVerifier, KsmVerifier, LocalKsm, type Verifier } from 'passport-yubikey-otp';
import { type CloudConfig, ConfigError } from './config.js';
import type { AppDatabase } from './database/open.js';

/** Checks OTPs with the keys in the app's own database: in demo mode, those of the virtual YubiKeys. */
export function createKsmVerifier({ keys, counters }: AppDatabase['yubikeys']): Verifier {
  return new KsmVerifier({ ksm: new LocalKsm(keys), counters });
}

/** Asks validation servers, which hold the keys and the counters. */
export function createCloudVerifier(cloud: CloudConfig): CloudVerifier {
  try {
    return new CloudVerifier(cloud);
  } catch (error) {
    if (error instanceof TypeError) throw new ConfigError([error.message]);
    throw error;
  }
}
