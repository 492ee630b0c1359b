import { DEFAULT_MASTER_KEY_FILE, type GlobalOptions } from '../terminal/global-options.js';
import { say } from '../terminal/output.js';
import { createMasterKeyFile, hasMasterKey } from './master-key.js';
import { sealedBy } from './sealed-by.js';
import { withDatabase } from './session.js';

/**
 * Makes the default master key file where none was given and nothing is sealed yet, so that a first start needs no
 * preparation. In a database with records it would only hide that their master key is missing.
 */
export async function makeFirstMasterKey(options: GlobalOptions): Promise<void> {
  if (hasMasterKey(options.masterKeyFile)) return;
  await withDatabase(options, 'create', async (database) => {
    if ((await sealedBy(database)).hasRecords) return;
    if (!(await createMasterKeyFile(DEFAULT_MASTER_KEY_FILE))) return;
    say(
      `Made the master key ${DEFAULT_MASTER_KEY_FILE}: keep a copy apart from the database; without it, what it sealed cannot be read`,
    );
  });
}
