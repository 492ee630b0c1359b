/** Serialization failure and deadlock: PostgreSQL has rolled back, so nothing was written. */
const ROLLED_BACK = ['40001', '40P01'];
/** Data exceptions, broken constraints and what triggers raise. */
const FAULT_OF_ROW = /^(22|23|P0)/;
/** A lock was not to be had in time. */
const LOCKED = '55P03';
/** Broken connections, a server that stops or fails, and 40003: the statement may have been committed. */
const UNCERTAIN = /^(08|57P|58|XX|40003)/;

export const isRolledBack = (error: unknown) => ROLLED_BACK.includes(readSqlState(error));

/** Whether somebody keeps a row locked; nothing was written. */
export const isRowLocked = (error: unknown) => readSqlState(error) === LOCKED;

/** Whether the server refused a value, so that nothing was written. */
export const isPostgresRowFault = (error: unknown) => FAULT_OF_ROW.test(readSqlState(error));

/** Whether the server said that it did not do what it was asked, and still stands. */
export function isPostgresRefusal(error: unknown): boolean {
  const { severity } = Object(error) as { severity?: unknown };
  const state = readSqlState(error);
  return (
    /^[0-9P][0-9A-Z]{4}$/.test(state) &&
    !UNCERTAIN.test(state) &&
    severity !== 'FATAL' &&
    severity !== 'PANIC'
  );
}

/** Whether only a server that is asked again tells how bad it is: severities are in the language of its messages. */
export const isTranslatedRefusal = (error: unknown) =>
  isPostgresRefusal(error) && (error as { severity?: unknown }).severity !== 'ERROR';

function readSqlState(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code);
}
