import type { SoftYubikey } from 'passport-yubikey-otp/testing';
import { makeFirstMasterKey } from '../../database/first-master-key.js';
import { withDatabase, withSecrets } from '../../database/session.js';
import { quoteForShell } from '../../database/shell.js';
import { Refusal } from '../../terminal/failure.js';
import type { GlobalOptions } from '../../terminal/global-options.js';
import { warn } from '../../terminal/output.js';
import { importKey } from '../../transfer/import-records.js';

/** Stores the virtual key in the database, so that its OTPs verify there. */
export async function enrol(
  options: GlobalOptions,
  { publicId, aesKey, privateId }: SoftYubikey,
): Promise<void> {
  await makeFirstMasterKey(options);
  await withSecrets(options, 'create', async ({ keys }) => {
    const entry = {
      publicId,
      aesKey,
      privateId,
      notes: 'virtual, for tests',
      active: true,
      hasAccessCode: false,
    };
    const outcome = await importKey(keys, entry);
    if (outcome.tally === 'refused') throw new Refusal(`Nothing was stored: ${outcome.problem}`);
  });
}

/** Warns if the database does not accept the virtual key. It is no error, since the key may be meant for another database. */
export async function warnUnlessEnrolled(options: GlobalOptions, publicId: string): Promise<void> {
  const problem = await findEnrolmentProblem(options, publicId);
  if (problem !== undefined) warn(problem);
}

async function findEnrolmentProblem(options: GlobalOptions, publicId: string): Promise<string | undefined> {
  let problem: string | undefined;
  try {
    await withDatabase(options, 'refuse', async ({ keys }) => {
      const key = await keys.get(publicId);
      if (!key)
        problem = `The database does not know ${publicId}: to store it there, run yubikey-otp press --enrol`;
      else if (!key.active)
        problem = `${publicId} is disabled: to enable it, run yubikey-otp keys enable ${quoteForShell(publicId)}`;
    });
  } catch (error) {
    return `${(error as Error).message}. OTPs of ${publicId} are refused until the database knows it: yubikey-otp press --enrol`;
  }
  return problem;
}
