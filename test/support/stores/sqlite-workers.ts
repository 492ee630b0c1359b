import type { Worker } from 'node:worker_threads';
import type { SqliteStore } from '../../../src/stores/index.js';

/**
 * Migrates a store with a path, and resolves with the two threads that it starts for that: first its writer, then its
 * reader.
 */
export async function migrateAndFindWorkers(store: SqliteStore): Promise<{ writer: Worker; reader: Worker }> {
  const workers: Worker[] = [];
  const remember = (worker: Worker) => workers.push(worker);
  process.on('worker', remember);
  await store.migrate().finally(() => process.off('worker', remember));
  const [writer, reader, ...others] = workers;
  if (!writer || !reader || others.length > 0) throw new Error(`the store started ${workers.length} threads`);
  return { writer, reader };
}
