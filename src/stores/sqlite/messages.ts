import { YubikeyError, type YubikeyErrorCode } from '../../errors.js';
import type { SqlValue } from '../sql.js';
import type { FoundDriver } from './driver.js';

/** What the thread is started with. */
export interface ThreadOptions {
  readonly driver: FoundDriver;
  readonly path: string;
}

export type Job =
  | readonly ['migrate']
  | readonly ['run', sql: string, parameters: readonly SqlValue[]]
  | readonly ['findAll', sql: string, ids: readonly string[]]
  | readonly ['advance', rows: string, since: number]
  | readonly ['close'];

export type Request = readonly [sequence: number, job: Job];
export type Reply = readonly [sequence: number, result: unknown, failure?: Failure];

/** An error; as it is, it would lose its code between threads, and that of a driver its message too. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly code: unknown;
  readonly errcode: unknown;
}

export function failureOf(error: unknown): Failure {
  const { name, message, code, errcode } = error as Error & { code?: unknown; errcode?: unknown };
  return { name, message, code, errcode };
}

export function errorOf({ name, message, code, errcode }: Failure): Error {
  if (name === 'YubikeyError') return new YubikeyError(code as YubikeyErrorCode, message);
  const error = name === 'TypeError' ? new TypeError(message) : new Error(message);
  return Object.assign(error, { code, errcode });
}
