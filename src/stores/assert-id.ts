/**
 * Checks what a row is found by: calls that come together share a message to the database, and would all fail with one
 * that it does not take; libsql even ends the process. PostgreSQL has no NUL in a text, and UTF-8 no half of a
 * surrogate pair.
 *
 * @throws TypeError
 */
export function assertId(id: string): void {
  assertText('An id', id);
}

/** The same for what is stored beside it. */
export function assertText(name: string, text: string): void {
  if (typeof text !== 'string' || text.includes('\0') || /\p{Cs}/u.test(text)) {
    throw new TypeError(`${name} must be text, without NUL and without half of a surrogate pair`);
  }
}
