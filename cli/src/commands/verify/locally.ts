import { KsmVerifier, LocalKsm, type Otp, YubikeyError } from 'passport-yubikey-otp';
import type { KeyStore } from 'passport-yubikey-otp/stores';
import { warnUnlessDurable } from '../../database/database.js';
import { withSecrets } from '../../database/session.js';
import { SetupError } from '../../terminal/failure.js';
import type { VerifyOptions } from './options.js';
import type { Verdict } from './verdict.js';

/** Verifies with the keys and counters of the database. */
export async function verifyLocally(otp: Otp, options: VerifyOptions): Promise<Verdict> {
  let verdict: Verdict | undefined;
  await withSecrets(options, 'refuse', async ({ database, keys }) => {
    warnUnlessDurable(database);
    const verifier = new KsmVerifier({ ksm: new LocalKsm(keys), counters: database.counters });
    const verification = await verifier.verify(otp).catch((error: unknown) => {
      throw explainFault(error, otp);
    });
    const isBad = !verification.ok && verification.reason === 'BAD_OTP';
    verdict = isBad ? { verification, meaning: await explainBadOtp(keys, otp) } : { verification };
  });
  return verdict as Verdict;
}

/** What an application must not tell strangers, whoever has the database may know. */
async function explainBadOtp(keys: KeyStore, { publicId }: Otp): Promise<string> {
  const key = await keys.get(publicId);
  if (!key) return `there is no key ${publicId} in the database; yubikey-otp keys add stores one`;
  if (!key.active) return `the key ${publicId} is disabled; yubikey-otp keys enable ${publicId} changes that`;
  return `this OTP does not fit the AES key and the private ID of ${publicId}: another YubiKey made it, or it was mistyped`;
}

function explainFault(error: unknown, { publicId }: Otp): unknown {
  if (!(error instanceof YubikeyError)) return error;
  if (error.code === 'PRIVATE_ID_UNCHECKED') {
    return new SetupError(`The key ${publicId} has no private ID yet: yubikey-otp keys pin ${publicId}`);
  }
  // What the database said helps more than that it failed.
  return error.code === 'STORE_FAILED' && error.cause !== undefined ? error.cause : error;
}
