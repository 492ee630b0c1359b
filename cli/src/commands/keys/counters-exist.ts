import type { Database } from '../../database/database.js';
import { warn } from '../../terminal/output.js';

/** Warns where counters of the public ID are stored: a YubiKey that was programmed anew counts from the beginning. */
export async function warnOfCounters(
  { counters }: Database,
  publicId: string,
  advice: string,
): Promise<void> {
  const last = await counters.get(publicId);
  if (!last) return;
  warn(
    `OTPs of ${publicId || 'the empty public ID'} were accepted before, and only newer ones are: with a usage counter above ` +
      `${last.usageCounter}. A YubiKey that is programmed anew starts at 1, and all its OTPs would be refused as replayed: ${advice}`,
  );
}
