import { type BigIntStats, statSync } from 'node:fs';

/** The paths of a database: its file, which may be a link, and beside the file itself the log and the log's index. */
export interface DatabasePaths {
  readonly file: string;
  readonly log: string;
  readonly index: string;
}

export interface FileChanges {
  readonly changed: readonly (keyof DatabasePaths)[];
  /** Which became smaller. */
  readonly hasShrunk: { readonly file: boolean; readonly log: boolean };
}

/**
 * The files of an open database, looked at by their paths and never opened: to close any descriptor of a file drops the
 * locks that the process has on it.
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

  /** What is not there any more as it was opened. An empty file is none: with it, SQLite throws the log away. */
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
    return { changed, hasShrunk };
  }

  /** Whether the log is smaller than it was; it is so until {@link acceptLog}. */
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

/** Another link, by which SQLite would not find the log, is as bad as none. */
function fileIdentity(stats: BigIntStats | undefined): string {
  return stats ? `${stats.dev}:${stats.ino}:${stats.nlink}` : 'none';
}
