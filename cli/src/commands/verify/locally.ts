import { KsmVerifier, LocalKsm, type Otp, YubikeyError } from 'passport-yubikey-otp';
import type { KeyStore } from 'passport-yubikey-otp/stores';
import { warnUnlessDurable } from '../../database/database.js';
import { withSecrets } from '../../database/session.js';
import { quoteForShell } from '../../database/shell.js';
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

/** Explains a bad OTP to the owner of the database. An application must not tell strangers this much. */
async function explainBadOtp(keys: KeyStore, { publicId }: Otp): Promise<string> {
  const key = await keys.get(publicId);
  if (!key) return `there is no key ${publicId} in the database; to add it: yubikey-otp keys add`;
  if (!key.active)
    return `the key ${publicId} is disabled; to enable it: yubikey-otp keys enable ${quoteForShell(publicId)}`;
  return `this OTP does not fit the AES key and the private ID of ${publicId}: another YubiKey made it, or it was mistyped`;
}

function explainFault(error: unknown, { publicId }: Otp): unknown {
  if (!(error instanceof YubikeyError)) return error;
  if (error.code === 'PRIVATE_ID_UNCHECKED') {
    return new SetupError(
      `The key ${publicId} has no private ID yet: yubikey-otp keys pin ${quoteForShell(publicId)}`,
    );
  }
  // The error of the database says more than that the store failed.
  return error.code === 'STORE_FAILED' && error.cause !== undefined ? error.cause : error;
}
