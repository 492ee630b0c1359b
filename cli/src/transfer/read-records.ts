import type { YubikeyError } from 'passport-yubikey-otp';
import type { Page, PageOptions, RecordStore } from 'passport-yubikey-otp/stores';
import { isUnopened } from '../database/unopened.js';

const PAGE = 500;

interface Listable<Stored> {
  list(options: PageOptions): Promise<Page<Stored>>;
}

/** All records of a store, read page by page. */
export function readRecords<Stored>(store: Listable<Stored>): AsyncGenerator<Stored> {
  return paged((options) => store.list(options));
}

/** All records that open, page by page; those that do not are told to `onUnopened` and left out. */
export function readUnsealedRecords<Stored>(
  sealed: Pick<RecordStore<Stored, unknown>, 'get' | 'list'>,
  raw: Listable<Stored>,
  toId: (record: Stored) => string,
  onUnopened: (id: string, error: YubikeyError) => void,
): AsyncGenerator<Stored> {
  const open = async (id: string) => {
    try {
      return await sealed.get(id);
    } catch (error) {
      if (!isUnopened(error)) throw error;
      onUnopened(id, error);
      return undefined;
    }
  };
  return paged(async (options) => {
    try {
      return await sealed.list(options);
    } catch (error) {
      if (!isUnopened(error)) throw error;
    }
    // One at a time: which of the page does not open?
    const { records, next } = await raw.list(options);
    const opened: Stored[] = [];
    for (const record of records) {
      const found = await open(toId(record));
      if (found) opened.push(found);
    }
    return { records: opened, next };
  });
}

async function* paged<Stored>(read: (options: PageOptions) => Promise<Page<Stored>>): AsyncGenerator<Stored> {
  let after: string | undefined;
  do {
    const { records, next } = await read({ after, limit: PAGE });
    yield* records;
    after = next;
  } while (after !== undefined);
}
