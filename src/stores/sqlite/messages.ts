import { YubikeyError, type YubikeyErrorCode } from '../../errors.js';
import type { SqlValue } from '../sql/sql-stores.js';
import type { FoundDriver } from './driver.js';
import { FileLost, Uncertain } from './sqlite-faults.js';

/** What the thread is started with. */
export interface ThreadOptions {
  readonly driver: FoundDriver;
  readonly path: string;
}

export type Job =
  | readonly ['migrate']
  | readonly ['run', sql: string, parameters: readonly SqlValue[]]
  | readonly ['findAll', sql: string, ids: readonly string[]]
  | readonly ['advance', rows: string]
  | readonly ['probe'];

/** `states` are those of {@link Starts}. */
export type Request = readonly [sequence: number, job: Job, states: Int32Array] | 'close';

export type Reply =
  | readonly ['done', sequence: number, result: unknown]
  | readonly ['failed', sequence: number, failure: Failure]
  | readonly ['waits', sequence: number, obstacle: Failure];

/** An error; as it is, it would lose its code between threads, and that of a driver its message too. */
export interface Failure {
  readonly kind: 'YubikeyError' | 'TypeError' | 'Error' | 'Uncertain' | 'FileLost';
  readonly message: string;
  readonly code: unknown;
  readonly errcode: unknown;
  readonly cause: Failure | undefined;
}

export function failureOf(error: unknown): Failure {
  const { message, code, errcode, cause } = error as Error & { code?: unknown; errcode?: unknown };
  return {
    kind: kindOf(error),
    message,
    code,
    errcode,
    cause: cause === undefined ? undefined : failureOf(cause),
  };
}

function kindOf(error: unknown): Failure['kind'] {
  if (error instanceof Uncertain) return 'Uncertain';
  if (error instanceof FileLost) return 'FileLost';
  if (error instanceof YubikeyError) return 'YubikeyError';
  return error instanceof TypeError ? 'TypeError' : 'Error';
}

export function errorOf({ kind, message, code, errcode, cause }: Failure): Error {
  const options = cause && { cause: errorOf(cause) };
  if (kind === 'Uncertain') return new Uncertain(message, options?.cause);
  if (kind === 'FileLost') return new FileLost(message, options);
  if (kind === 'YubikeyError') return new YubikeyError(code as YubikeyErrorCode, message, options);
  const error = kind === 'TypeError' ? new TypeError(message, options) : new Error(message, options);
  return Object.assign(error, { code, errcode });
}
