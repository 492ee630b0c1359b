import { YubikeyError } from 'passport-yubikey-otp';
import { reasonOf } from '../database/database.js';

const MAX_DEPTH = 4;
const MAX_LENGTH = 300;

/** What a log may hold of one error in a chain of causes. */
interface LoggedError {
  readonly code: string;
  readonly message?: string;
}

/**
 * What a log may hold of an error and its causes. The messages of this project hold no secret. Those of a driver or
 * the system, which have a code of their own, are logged without the passwords of the database's URL. Any other
 * message may repeat a part of a request, as those of `JSON.parse` do: of these only the name is logged.
 */
export function errorFields(error: unknown, db: string): { error?: LoggedError; causes?: LoggedError[] } {
  if (error === undefined) return {};
  const [first, ...causes] = chainOf(error).map((each) => logged(each, db));
  return { ...(first && { error: first }), ...(causes.length > 0 && { causes }) };
}

function chainOf(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let each = error; each !== undefined && chain.length < MAX_DEPTH; each = (each as Error)?.cause) {
    chain.push(each);
  }
  return chain;
}

function logged(error: unknown, db: string): LoggedError {
  const { code } = (error ?? {}) as { code?: unknown };
  if (error instanceof YubikeyError) return { code: error.code, message: error.message };
  if (error instanceof Error && typeof code === 'string') {
    return { code, message: reasonOf(error, db).slice(0, MAX_LENGTH) };
  }
  return { code: error instanceof Error ? error.constructor.name : typeof error };
}
