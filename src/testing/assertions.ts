import assert from 'node:assert/strict';

/** Asserts that two records are equal. Bytes may be of any class, and an undefined property may be missing. */
export function assertEqual(
  actual: object | undefined,
  expected: object | undefined,
  message?: string,
): void {
  assert.deepEqual(actual && toPlain(actual), expected && toPlain(expected), message);
}

/** Asserts the expected properties of a record, which may have others. */
export function assertMatch(actual: object | undefined, expected: object, message?: string): void {
  const entries = Object.entries(actual ?? {}).filter(([name]) => Object.hasOwn(expected, name));
  assertEqual(Object.fromEntries(entries), expected, message);
}

function toPlain(record: object): object {
  return Object.fromEntries(
    Object.entries(record)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [
        name,
        value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
      ]),
  );
}
