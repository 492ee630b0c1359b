import type { Selection, Statement } from './statement.js';

export type SqlValue = string | number | null | Uint8Array;
export type SqlRow = Record<string, unknown>;

/** Finds the row with an id. Callers that ask in the same turn of the event loop may share one round trip. */
export type FindRow = (id: string) => Promise<SqlRow | undefined>;

/** A database that understands the statements of this folder, and what it says in its own dialect. */
export interface SqlRunner {
  /** The placeholder of the parameter at a position, counted from 1. A statement has its parameters in their order. */
  placeholder(position: number): string;
  /** Runs one statement in its own transaction, which is durable once it resolves. */
  run(statement: Statement, parameters: readonly SqlValue[]): Promise<SqlRow[]>;
  /** Prepares to find rows of a selection, which is a `SELECT` without `WHERE`, by the column `id`. */
  prepareFind(selection: Selection): FindRow;
}
