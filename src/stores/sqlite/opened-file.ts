import { type BigIntStats, statSync } from 'node:fs';

/** The paths of a database: its file, which may be a link, and beside the file itself the log and the log's index. */
export interface DatabasePaths {
  readonly file: string;
  readonly log: string;
  readonly index: string;
}

/**
 * The files of an open database, looked at by their paths and never opened: to close any descriptor of a file drops the
 * locks that the process has on it.
 */
export class OpenedFile {
  private readonly opened: Record<keyof DatabasePaths, string>;
  private fileSize: bigint;
  private logSize: bigint;

  constructor(readonly paths: DatabasePaths) {
    const { file, log, index } = paths;
    const [fileStats, logStats] = [look(file), look(log)];
    this.opened = { file: nameOf(fileStats), log: nameOf(logStats), index: nameOf(look(index)) };
    this.fileSize = fileStats?.size ?? 0n;
    this.logSize = logStats?.size ?? 0n;
  }

  /**
   * To be called after each commit: what is not there any more as it was opened, and whether the file became smaller. An
   * empty file is none: with it, SQLite throws the log away.
   */
  look(): { changed: (keyof DatabasePaths)[]; isSmaller: boolean } {
    const stats = { file: look(this.paths.file), log: look(this.paths.log), index: look(this.paths.index) };
    const changed = (['file', 'log', 'index'] as const).filter(
      (part) => nameOf(stats[part]) !== this.opened[part],
    );
    const { size = 0n } = stats.file ?? {};
    if (size === 0n && !changed.includes('file')) changed.unshift('file');
    const isSmaller = size < this.fileSize;
    this.fileSize = size;
    this.logSize = stats.log?.size ?? 0n;
    return { changed, isSmaller };
  }

  /** Whether the log became smaller since the last commit. */
  get hasLessLog(): boolean {
    return (look(this.paths.log)?.size ?? 0n) < this.logSize;
  }
}

function look(path: string): BigIntStats | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false });
}

/** Another link, by which SQLite would not find the log, is as bad as none. */
function nameOf(stats: BigIntStats | undefined): string {
  return stats ? `${stats.dev}:${stats.ino}:${stats.nlink}` : 'none';
}
