import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KsmEvent, VerificationEvent } from 'passport-yubikey-otp/server';
import { type DestinationStream, type Logger, pino } from 'pino';
import { errorFields } from './error-fields.js';

/** More waiting lines than this are dropped: who collects them stands still, and the service goes on. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

export type Log = Logger;

/** So long the last lines may take. */
const LAST_LINES_MS = 1000;

/** The lines of a service, as JSON on standard output. */
export function openLog(level: string): { log: Log; close: () => Promise<void> } {
  const destination = pino.destination({ fd: 1, sync: false, maxLength: MAX_WAITING_BYTES });
  // Of a full disk the lines that it does not take are lost, and nothing else.
  destination.on('error', () => undefined);
  async function close(): Promise<void> {
    const closed = once(destination, 'close').catch(() => undefined);
    destination.end();
    await Promise.race([closed, sleep(LAST_LINES_MS)]);
    // What nobody takes now would keep the process from its end.
    destination.destroy();
  }
  return { log: createLog(level, destination), close };
}

export function createLog(level: string, destination: DestinationStream): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // An error object may hold anything: it is logged as errorFields has it, or not at all.
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
