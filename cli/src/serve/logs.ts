import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { YubikeyError } from 'passport-yubikey-otp';
import type { KsmEvent, VerificationEvent } from 'passport-yubikey-otp/server';
import { type DestinationStream, type Logger, pino } from 'pino';
import { explainFailure } from '../database/database.js';

/** Further lines are dropped if the log collector does not read: the service goes on. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

export type Log = Logger;

/** How long writing the last lines may take. */
const LAST_LINES_MS = 1000;

/** The log of a service, as JSON lines on standard output. */
export function openLog(level: string): { log: Log; close: () => Promise<void> } {
  const destination = pino.destination({ fd: 1, sync: false, maxLength: MAX_WAITING_BYTES });
  // On a full disk, lines are lost and nothing else happens.
  destination.on('error', () => undefined);
  async function close(): Promise<void> {
    const closed = once(destination, 'close').catch(() => undefined);
    destination.end();
    await Promise.race([closed, sleep(LAST_LINES_MS)]);
    // Lines that are still not read would keep the process from exiting.
    destination.destroy();
  }
  return { log: createLog(level, destination), close };
}

function createLog(level: string, destination: DestinationStream): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // An error object may hold anything: it is logged by errorFields, or not at all.
      serializers: { err: () => undefined, error: (error) => error },
    },
    destination,
  );
}

/** One line for each verification. */
export function logVerification(log: Log, event: VerificationEvent, db: string): void {
  const { protocol, clientId, publicId, status, httpStatus, milliseconds, address, error } = event;
  const level = status === 'BACKEND_ERROR' || httpStatus >= 500 ? 'error' : 'info';
  log[level](
    {
      service: 'validation',
      protocol,
      client: clientId,
      publicId,
      status,
      http: httpStatus,
      ms: rounded(milliseconds),
      address,
      ...errorFields(error, db),
    },
    'verification',
  );
}

/** One line for each request to the KSM. */
export function logKsm(log: Log, event: KsmEvent, db: string): void {
  const { operation, protocol, publicId, outcome, httpStatus, milliseconds, address, error } = event;
  log[outcome === 'STORAGE_ERROR' || httpStatus >= 500 ? 'error' : 'info'](
    {
      service: 'ksm',
      protocol,
      operation,
      publicId,
      status: outcome,
      http: httpStatus,
      ms: rounded(milliseconds),
      address,
      ...errorFields(error, db),
    },
    'KSM request',
  );
}

const rounded = (milliseconds: number) => Math.round(milliseconds * 100) / 100;

const MAX_DEPTH = 4;
const MAX_LENGTH = 300;

/** The fields of one error, in a chain of causes, that may be logged. */
interface LoggedError {
  readonly code: string;
  readonly message?: string | undefined;
}

/**
 * The fields of an error and its causes that may be logged. Messages of this project hold no secret. Messages of a
 * driver or the system, which have a code, are logged without the passwords of the database's URL. Any other message
 * may repeat part of a request, as those of `JSON.parse` do: only the name of such an error is logged.
 */
export function errorFields(
  error: unknown,
  db: string,
): {
  error?: LoggedError | undefined;
  causes?: LoggedError[] | undefined;
} {
  if (error === undefined) return {};
  const [first, ...causes] = listCauses(error).map((each) => logged(each, db));
  return { ...(first && { error: first }), ...(causes.length > 0 && { causes }) };
}

function listCauses(error: unknown): unknown[] {
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
    return { code, message: explainFailure(error, db).slice(0, MAX_LENGTH) };
  }
  return { code: error instanceof Error ? error.constructor.name : typeof error };
}
