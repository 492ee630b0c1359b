import { SetupError } from '../terminal/failure.js';

const WAIT_MS = 10_000;

/**
 * Runs work while no other process does so for the same file. The lock is a SQLite lock on an empty file beside it, so
 * the system releases it however the process ends.
 *
 * @throws SetupError if another process holds the lock for too long, or the lock file cannot be made.
 */
export async function exclusively<T>(path: string, work: () => Promise<T>): Promise<T> {
  const { default: LibsqlDatabase } = await import('libsql');
  const lockFile = `${path}.lock`;
  let lock: InstanceType<typeof LibsqlDatabase> | undefined;
  try {
    lock = new LibsqlDatabase(lockFile);
    lock.exec(`PRAGMA busy_timeout = ${WAIT_MS}; BEGIN EXCLUSIVE`);
  } catch (error) {
    lock?.close();
    throw new SetupError(
      `${path} cannot be locked (${(error as Error).message}): make sure that ${lockFile} can be written, and that no other command hangs`,
    );
  }
  try {
    return await work();
  } finally {
    lock.close();
  }
}
