import { setTimeout as sleep } from 'node:timers/promises';

/** How long a statement waits for a lock of another process in all. */
const BUSY_GIVE_UP_MS = 5000;
const BUSY_RETRY_MS = 10;

/** Waits for locks of other processes, without blocking the event loop. */
export async function whenFree<T>(work: () => T, since = Date.now()): Promise<T> {
  const deadline = since + BUSY_GIVE_UP_MS;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || Date.now() > deadline) throw error;
      await sleep(BUSY_RETRY_MS);
    }
  }
}

/** Primary result codes of SQLite. */
const BUSY = 5;
const [TOOBIG, CONSTRAINT, MISMATCH] = [18, 19, 20];

const isBusy = (error: unknown) => isOf(error, { BUSY });

/** Whether SQLite or its driver refused a value; it has rolled back then. */
export const isFaultOfRow = (error: unknown) =>
  error instanceof TypeError || isOf(error, { TOOBIG, CONSTRAINT, MISMATCH });

/** Whether it has one of these result codes, extended ones too, as the three drivers name them. */
function isOf(error: unknown, codes: Record<string, number>): boolean {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  const [, name = ''] = /^SQLITE_([A-Z]+)/.exec(String(code)) ?? [];
  return name in codes || (typeof errcode === 'number' && Object.values(codes).includes(errcode & 0xff));
}
