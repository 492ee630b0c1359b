import { type BigIntStats, statSync } from 'node:fs';

/** The paths of a database: its file, which may be a link, and beside the file itself the log and the log's index. */
export interface DatabasePaths {
  readonly file: string;
  readonly log: string;
  readonly index: string;
}

export interface Look {
  readonly changed: readonly (keyof DatabasePaths)[];
  /** Which became smaller. */
  readonly hasLess: { readonly file: boolean; readonly log: boolean };
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
    const [fileStats, logStats] = [look(file), look(log)];
    this.#opened = { file: nameOf(fileStats), log: nameOf(logStats), index: nameOf(look(index)) };
    this.#fileSize = fileStats?.size ?? 0n;
    this.#logSize = logStats?.size ?? 0n;
  }

  /** What is not there any more as it was opened. An empty file is none: with it, SQLite throws the log away. */
  look(): Look {
    const stats = { file: look(this.paths.file), log: look(this.paths.log), index: look(this.paths.index) };
    const changed = (['file', 'log', 'index'] as const).filter(
      (part) => nameOf(stats[part]) !== this.#opened[part],
    );
    const [fileSize, logSize] = [stats.file?.size ?? 0n, stats.log?.size ?? 0n];
    if (fileSize === 0n && !changed.includes('file')) changed.unshift('file');
    const hasLess = { file: fileSize < this.#fileSize, log: logSize < this.#logSize };
    this.#fileSize = fileSize;
    if (!hasLess.log) this.#logSize = logSize;
    return { changed, hasLess };
  }

  /** Whether the log is smaller than it was; it is so until {@link acceptLog}. */
  get hasLessLog(): boolean {
    return (look(this.paths.log)?.size ?? 0n) < this.#logSize;
  }

  acceptLog(): void {
    this.#logSize = look(this.paths.log)?.size ?? 0n;
  }
}

function look(path: string): BigIntStats | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false });
}

/** Another link, by which SQLite would not find the log, is as bad as none. */
function nameOf(stats: BigIntStats | undefined): string {
  return stats ? `${stats.dev}:${stats.ino}:${stats.nlink}` : 'none';
}
