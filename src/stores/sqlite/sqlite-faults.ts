import { YubikeyError } from '../../errors.js';
import type { WriteFault } from '../batching/batch.js';

/** A write that may have taken effect, now or after a restart. All other errors of SQLite mean that it rolled back. */
export class Uncertain extends Error {
  constructor(
    message: string,
    override readonly cause: unknown,
  ) {
    super(message, { cause });
  }
}

/** The file is no longer the one that was opened. */
export class FileLost extends YubikeyError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('STORE_FAILED', message, options);
  }

  static since(what: string, cause?: unknown): FileLost {
    return new FileLost(
      `${what}, so its contents are no longer trusted. Stop the service, put the right file in its place, and start it ` +
        'again. A new start trusts whatever file it finds',
      cause === undefined ? undefined : { cause },
    );
  }

  static goneBack(path: string): FileLost {
    return FileLost.since(
      `${path} went back to an older state while it was in use, as if an older copy had been put over it`,
    );
  }
}

/** The loss of the file that caused the error, if any. */
export function findFileLoss(error: unknown): FileLost | undefined {
  const fault = error instanceof Uncertain ? error.cause : error;
  return fault instanceof FileLost ? fault : undefined;
}

/** Primary result codes of SQLite. */
const BUSY = 5;
const [CORRUPT, NOTADB] = [11, 26];
/** An extended result code. */
const IOERR_SHORT_READ = 522;
const [TOOBIG, CONSTRAINT, MISMATCH] = [18, 19, 20];

export const isBusy = (error: unknown) => hasResultCode(error, { BUSY });

/** Whether the file or its log no longer holds what SQLite wrote there. */
export const isCorrupt = (error: unknown) => hasResultCode(error, { CORRUPT, NOTADB }) || isShortRead(error);

function isShortRead(error: unknown): boolean {
  const { code, errcode } = Object(error) as { code?: unknown; errcode?: unknown };
  return code === 'SQLITE_IOERR_SHORT_READ' || errcode === IOERR_SHORT_READ;
}

/** SQLite has no separate result code for it. */
export const isUnknownTable = (error: unknown) =>
  hasResultCode(error, { ERROR: 1 }) && /no such table/.test((error as Error).message);

/** Tells what an error of a batch means. */
export function classifySqliteFault(error: unknown): WriteFault {
  if (error instanceof Uncertain) return 'UNANSWERED';
  return isRowFault(error) ? 'ITEM_REFUSED' : 'REFUSED';
}

/** Whether SQLite or its driver refused a value of a row. */
const isRowFault = (error: unknown) =>
  error instanceof TypeError || hasResultCode(error, { TOOBIG, CONSTRAINT, MISMATCH });

/** Whether SQLite reported the error, and not its driver, as for a closed handle. */
export function isFromSqlite(error: unknown): boolean {
  const { code, errcode } = Object(error) as { code?: unknown; errcode?: unknown };
  return String(code).startsWith('SQLITE_') || typeof errcode === 'number';
}

/** Whether the error has one of these primary result codes, or an extended code of one, in the form of any driver. */
function hasResultCode(error: unknown, codes: Record<string, number>): boolean {
  const { code, errcode } = Object(error) as { code?: unknown; errcode?: unknown };
  const [, name = ''] = /^SQLITE_([A-Z]+)/.exec(String(code)) ?? [];
  return name in codes || (typeof errcode === 'number' && Object.values(codes).includes(errcode & 0xff));
}
