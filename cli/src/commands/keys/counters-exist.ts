import type { Database } from '../../database/database.js';
import { warn } from '../../terminal/output.js';

/** Warns if counters of the public ID are stored, because a YubiKey that was programmed again counts from the beginning. */
export async function warnOfStoredCounters(
  { counters }: Database,
  publicId: string,
  advice: string,
): Promise<void> {
  const last = await counters.get(publicId);
  if (!last) return;
  warn(
    `OTPs of ${publicId || 'the empty public ID'} were accepted before, so only newer ones are accepted now, with a usage counter above ` +
      `${last.usageCounter}. A YubiKey that is programmed again starts at 1, so all its OTPs would be refused as replayed: ${advice}`,
  );
}
