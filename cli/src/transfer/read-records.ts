import type { YubikeyError } from 'passport-yubikey-otp';
import type { Page, PageOptions, RecordStore } from 'passport-yubikey-otp/stores';
import { isUnopened } from '../database/unopened.js';

const PAGE_SIZE = 500;

interface Listable<Stored> {
  list(options: PageOptions): Promise<Page<Stored>>;
}

/** Reads all records of a store, page by page. */
export function readRecords<Stored>(store: Listable<Stored>): AsyncGenerator<Stored> {
  return readPages((options) => store.list(options));
}

/** Reads all records that open, page by page. `onUnopened` is called for the others. */
export function readUnsealedRecords<Stored>(
  sealed: Pick<RecordStore<Stored, unknown>, 'get' | 'list'>,
  raw: Listable<Stored>,
  toId: (record: Stored) => string,
  onUnopened: (id: string, error: YubikeyError) => void,
): AsyncGenerator<Stored> {
  const tryToRead = async (id: string) => {
    try {
      return await sealed.get(id);
    } catch (error) {
      if (!isUnopened(error)) throw error;
      onUnopened(id, error);
      return undefined;
    }
  };
  return readPages(async (options) => {
    try {
      return await sealed.list(options);
    } catch (error) {
      if (!isUnopened(error)) throw error;
    }
    // One at a time, to find the records of the page that do not open.
    const { records, next } = await raw.list(options);
    const opened: Stored[] = [];
    for (const record of records) {
      const found = await tryToRead(toId(record));
      if (found) opened.push(found);
    }
    return { records: opened, next };
  });
}

async function* readPages<Stored>(
  read: (options: PageOptions) => Promise<Page<Stored>>,
): AsyncGenerator<Stored> {
  let after: string | undefined;
  do {
    const { records, next } = await read({ after, limit: PAGE_SIZE });
    yield* records;
    after = next;
  } while (after !== undefined);
}
