/** The text of a statement that only reads: anything else is an error of the compiler. */
export type Selection = `SELECT ${string}`;

export interface ReadStatement {
  readonly kind: 'read';
  readonly sql: Selection;
}

export interface WriteStatement {
  readonly kind: 'write';
  readonly sql: string;
}

/** One statement. Its kind tells an engine, and the compiler, where it may run: what a reading thread takes is `read`. */
export type Statement = ReadStatement | WriteStatement;

export const readStatement = (sql: Selection): ReadStatement => ({ kind: 'read', sql });

export const writeStatement = (sql: string): WriteStatement => ({ kind: 'write', sql });
