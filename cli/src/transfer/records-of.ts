import type { Page, PageOptions } from 'passport-yubikey-otp/stores';

const PAGE = 500;

/** All records of a store, read page by page. */
export async function* recordsOf<Stored>(store: {
  list(options: PageOptions): Promise<Page<Stored>>;
}): AsyncGenerator<Stored> {
  let after: string | undefined;
  do {
    const { records, next } = await store.list({ after, limit: PAGE });
    yield* records;
    after = next;
  } while (after !== undefined);
}
