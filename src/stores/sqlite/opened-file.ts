import { type BigIntStats, statSync } from 'node:fs';

/** The paths of a database: its file, which may be a link, and the log and its index, which are beside the file itself. */
export interface DatabasePaths {
  readonly file: string;
  readonly log: string;
  readonly index: string;
}

export interface FileChanges {
  readonly changed: readonly (keyof DatabasePaths)[];
  /** Which of them became smaller. */
  readonly hasShrunk: { readonly file: boolean; readonly log: boolean };
  /**
   * Whether the log was removed or replaced, or may be removed next, as its index was. If the index was only replaced,
   * other processes use the log, and do not see the locks of this one.
   */
  readonly isLogInDanger: boolean;
}

/**
 * The files of an open database. They are checked by path and never opened: closing any descriptor of a file drops the
 * locks that the process holds on it.
 */
export class OpenedFile {
  readonly #opened: Record<keyof DatabasePaths, string>;
  #fileSize: bigint;
  #logSize: bigint;

  constructor(readonly paths: DatabasePaths) {
    const { file, log, index } = paths;
    const [fileStats, logStats] = [statPath(file), statPath(log)];
    this.#opened = {
      file: fileIdentity(fileStats),
      log: fileIdentity(logStats),
      index: fileIdentity(statPath(index)),
    };
    this.#fileSize = fileStats?.size ?? 0n;
    this.#logSize = logStats?.size ?? 0n;
  }

  /** Finds files that are no longer the ones that were opened. An empty one counts as changed: SQLite would drop its log. */
  findChanges(): FileChanges {
    const stats = {
      file: statPath(this.paths.file),
      log: statPath(this.paths.log),
      index: statPath(this.paths.index),
    };
    const changed = (['file', 'log', 'index'] as const).filter(
      (part) => fileIdentity(stats[part]) !== this.#opened[part],
    );
    const [fileSize, logSize] = [stats.file?.size ?? 0n, stats.log?.size ?? 0n];
    if (fileSize === 0n && !changed.includes('file')) changed.unshift('file');
    const hasShrunk = { file: fileSize < this.#fileSize, log: logSize < this.#logSize };
    this.#fileSize = fileSize;
    if (!hasShrunk.log) this.#logSize = logSize;
    const isLogInDanger = !changed.includes('file') && (changed.includes('log') || stats.index === undefined);
    return { changed, hasShrunk, isLogInDanger };
  }

  /** Whether the log is smaller than it was. Stays true until {@link acceptLog} is called. */
  get hasLogShrunk(): boolean {
    return (statPath(this.paths.log)?.size ?? 0n) < this.#logSize;
  }

  acceptLog(): void {
    this.#logSize = statPath(this.paths.log)?.size ?? 0n;
  }
}

function statPath(path: string): BigIntStats | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false });
}

/** Includes the count of links: by another name of the file, SQLite would not find the log. */
function fileIdentity(stats: BigIntStats | undefined): string {
  return stats ? `${stats.dev}:${stats.ino}:${stats.nlink}` : 'none';
}
