/** Serialization failure and deadlock: PostgreSQL has rolled back, so nothing was written. */
const ROLLED_BACK = ['40001', '40P01'];
/** Data exceptions, broken constraints and what triggers raise. */
const FAULT_OF_ROW = /^(22|23|P0)/;
/** A lock was not to be had in time. */
const LOCKED = '55P03';
/** Broken connections, a server that stops or fails, and 40003: the statement may have been committed. */
const UNCERTAIN = /^(08|57P|58|XX|40003)/;

export const isRolledBack = (error: unknown) => ROLLED_BACK.includes(sqlStateOf(error));

/** Whether somebody keeps a row locked; nothing was written. */
export const isLocked = (error: unknown) => sqlStateOf(error) === LOCKED;

/** Whether the server refused a value, so that nothing was written. */
export const isFaultOfRow = (error: unknown) => FAULT_OF_ROW.test(sqlStateOf(error));

/** Whether the server said that it did not do what it was asked, and still stands. */
export function isRefusal(error: unknown): boolean {
  const { severity } = Object(error) as { severity?: unknown };
  const state = sqlStateOf(error);
  return (
    /^[0-9P][0-9A-Z]{4}$/.test(state) &&
    !UNCERTAIN.test(state) &&
    severity !== 'FATAL' &&
    severity !== 'PANIC'
  );
}

/** Whether only a server that is asked again tells how bad it is: severities are in the language of its messages. */
export const isTranslated = (error: unknown) =>
  isRefusal(error) && (error as { severity?: unknown }).severity !== 'ERROR';

function sqlStateOf(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code);
}
