import { DEFAULT_MASTER_KEY_FILE, type GlobalOptions } from '../terminal/global-options.js';
import { say } from '../terminal/output.js';
import { createMasterKeyFile, hasMasterKey } from './master-key.js';
import { readSeals } from './seals.js';
import { withDatabase } from './session.js';

/**
 * Makes the default master key file if no master key was given and nothing is sealed yet, so that a first start needs
 * no preparation. With a database that has records, a new file would only hide that their master key is missing.
 */
export async function makeFirstMasterKey(options: GlobalOptions): Promise<void> {
  if (hasMasterKey(options.masterKeyFile)) return;
  await withDatabase(options, 'create', async (database) => {
    if ((await readSeals(database)).hasRecords) return;
    if (!(await createMasterKeyFile(DEFAULT_MASTER_KEY_FILE))) return;
    say(
      `Made the master key ${DEFAULT_MASTER_KEY_FILE}: keep a copy away from the database; without it, the sealed secrets cannot be read`,
    );
  });
}
