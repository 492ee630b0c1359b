import { YubikeyError, type YubikeyErrorCode } from '../../errors.js';
import type { SqlValue } from '../sql/sql-runner.js';
import type { ReadStatement, WriteStatement } from '../sql/statement.js';
import type { FoundDriver } from './driver.js';
import { FileLost, Uncertain } from './sqlite-faults.js';

/** The data that a thread is started with. */
export interface ThreadOptions {
  readonly driver: FoundDriver;
  readonly path: string;
}

/** What the thread that reads is asked. */
export type ReadJob =
  | readonly ['run', statement: ReadStatement, parameters: readonly SqlValue[]]
  | readonly ['findAll', statement: ReadStatement, ids: readonly string[]];

/** What the thread that writes is asked. `rows` are encoded. */
export type WriteJob =
  | readonly ['migrate']
  | readonly ['run', statement: WriteStatement, parameters: readonly SqlValue[]]
  | readonly ['advance', rows: string]
  | readonly ['probe'];

export type ThreadJob = ReadJob | WriteJob;

/** `states` is the shared memory of {@link CallStates}. */
export type ThreadRequest = readonly [sequence: number, job: ThreadJob, states: Int32Array] | 'close';

export type ThreadReply =
  | readonly ['done', sequence: number, result: unknown]
  | readonly ['failed', sequence: number, failure: SerializedError]
  | readonly ['waits', sequence: number, obstacle: SerializedError];

/** An error as a message: cloned as it is, it would lose its code, and an error of a driver its message too. */
export interface SerializedError {
  readonly kind: 'YubikeyError' | 'TypeError' | 'Error' | 'Uncertain' | 'FileLost';
  readonly message: string;
  readonly code: unknown;
  readonly errcode: unknown;
  readonly cause: SerializedError | undefined;
}

export function serializeError(error: unknown): SerializedError {
  const { message, code, errcode, cause } = error as Error & { code?: unknown; errcode?: unknown };
  return {
    kind: classifyError(error),
    message,
    code,
    errcode,
    cause: cause === undefined ? undefined : serializeError(cause),
  };
}

function classifyError(error: unknown): SerializedError['kind'] {
  if (error instanceof Uncertain) return 'Uncertain';
  if (error instanceof FileLost) return 'FileLost';
  if (error instanceof YubikeyError) return 'YubikeyError';
  return error instanceof TypeError ? 'TypeError' : 'Error';
}

export function deserializeError({ kind, message, code, errcode, cause }: SerializedError): Error {
  const options = cause && { cause: deserializeError(cause) };
  if (kind === 'Uncertain') return new Uncertain(message, options?.cause);
  if (kind === 'FileLost') return new FileLost(message, options);
  if (kind === 'YubikeyError') return new YubikeyError(code as YubikeyErrorCode, message, options);
  const error = kind === 'TypeError' ? new TypeError(message, options) : new Error(message, options);
  return Object.assign(error, { code, errcode });
}
