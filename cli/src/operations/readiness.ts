import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, isUrl } from '../database.js';

/** However often somebody asks, the database is asked so often. */
const REMEMBER_MS = 500;

/** Whether the database answers. */
export class Readiness {
  private asked: Promise<boolean> | undefined;
  private readonly file: string | undefined;
  private readonly inode: bigint | undefined;

  constructor(
    private readonly database: Database,
    where: string,
  ) {
    this.file = isUrl(where) ? undefined : where;
    this.inode = inodeOf(this.file);
  }

  /** False when it failed, or has not answered in time. */
  async check(milliseconds: number): Promise<boolean> {
    this.asked ??= this.ask();
    const gaveUp = new AbortController();
    const late = sleep(milliseconds, false, { signal: gaveUp.signal }).catch(() => false);
    const isReady = await Promise.race([this.asked, late]);
    gaveUp.abort();
    return isReady;
  }

  private async ask(): Promise<boolean> {
    const isReady = await this.database.counters.get('').then(
      () => true,
      () => false,
    );
    setTimeout(() => {
      this.asked = undefined;
    }, REMEMBER_MS).unref();
    // What is written to a file that was removed or replaced is lost, though writing it succeeds.
    return isReady && inodeOf(this.file) === this.inode;
  }
}

function inodeOf(file: string | undefined): bigint | undefined {
  return file === undefined ? undefined : statSync(file, { bigint: true, throwIfNoEntry: false })?.ino;
}
