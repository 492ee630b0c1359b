import { setTimeout as sleep } from 'node:timers/promises';
import type { Callers } from '../callers.js';
import { isBusy } from './sqlite-faults.js';

const BUSY_RETRY_MS = 10;

/** Retries the work while other processes lock the file and a caller waits, without blocking the event loop. */
export async function whenFree<T>(work: () => T, callers: Callers): Promise<T> {
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error)) throw error;
      callers.waitsFor(error);
      await sleep(BUSY_RETRY_MS);
      if (!callers.isWanted) throw error;
    }
  }
}
