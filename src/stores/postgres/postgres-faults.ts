import type { WriteFault } from '../batching/batch.js';

/** Serialization failure and deadlock: PostgreSQL rolled back, so nothing was written. */
const ROLLED_BACK = ['40001', '40P01'];
/** Data exceptions, violated constraints, and errors raised by triggers. */
const FAULT_OF_ROW = /^(22|23|P0)/;
/** A lock could not be acquired in time. */
const LOCKED = '55P03';
/** Broken connections, a server that stops or fails, and 40003 (statement completion unknown). */
const UNCERTAIN = /^(08|57P|58|XX|40003)/;

export const isRolledBack = (error: unknown) => ROLLED_BACK.includes(readSqlState(error));

/** Tells what an error of a statement means. */
export function classifyPostgresFault(error: unknown): WriteFault {
  if (!isRefusal(error)) return 'UNANSWERED';
  const state = readSqlState(error);
  if (state === LOCKED) return 'LOCKED';
  return FAULT_OF_ROW.test(state) ? 'ITEM_REFUSED' : 'REFUSED';
}

/** Whether the server reported that the statement had no effect, and is still running. */
function isRefusal(error: unknown): boolean {
  const { severity } = Object(error) as { severity?: unknown };
  const state = readSqlState(error);
  return (
    /^[0-9P][0-9A-Z]{4}$/.test(state) &&
    !UNCERTAIN.test(state) &&
    severity !== 'FATAL' &&
    severity !== 'PANIC'
  );
}

/** Whether the severity is in another language, so that only another query tells whether the server still runs. */
export const isTranslatedRefusal = (error: unknown) =>
  isRefusal(error) && (error as { severity?: unknown }).severity !== 'ERROR';

function readSqlState(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code);
}
