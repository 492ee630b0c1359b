import assert from 'node:assert/strict';
import type { Page, PageOptions } from '../../stores/store.js';

/** Asserts that `list` returns each of the ids once and in order, whatever the size of the pages. */
export async function assertPages<Stored>(
  list: (options: PageOptions) => Promise<Page<Stored>>,
  readId: (record: Stored) => string,
  ids: readonly string[],
): Promise<void> {
  for (let limit = 1; limit <= ids.length + 1; limit++) {
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const { records, next } = await list({ after, limit });
      assert.ok(records.length <= limit, `a page of ${records.length} records, with the limit ${limit}`);
      seen.push(...records.map(readId));
      after = next;
    } while (after !== undefined && seen.length <= ids.length);
    assert.deepEqual(seen, [...ids].sort(), `all pages, with the limit ${limit}`);
    assert.equal(after, undefined, `next of the last page, with the limit ${limit}`);
  }
}
