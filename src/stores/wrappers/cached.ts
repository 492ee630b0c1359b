import { readPageOptions } from '../records.js';
import type {
  ClientRecord,
  ClientStore,
  KeyRecord,
  KeyStore,
  NewClient,
  NewKey,
  Page,
  PageOptions,
  RecordStore,
} from '../store.js';

/** How long a record that was read is used. */
const FRESH_MS = 1_000;
/** How many records are kept. */
const MAX_RECORDS = 2_000;

interface CachedRead<Stored> {
  readonly record: Promise<Stored | undefined>;
  readonly at: number;
}

/** Reads each record from another store at most once a second. Missing records are not cached. */
class CachedRecords<Stored, New> implements RecordStore<Stored, New> {
  readonly #store: RecordStore<Stored, New>;
  readonly #recordId: (record: Stored | New) => string;
  /** By id, the oldest read first. */
  readonly #reads = new Map<string, CachedRead<Stored>>();

  constructor(store: RecordStore<Stored, New>, recordId: (record: Stored | New) => string) {
    this.#store = store;
    this.#recordId = recordId;
  }

  get(id: string): Promise<Stored | undefined> {
    const now = performance.now();
    const last = this.#reads.get(id);
    if (last && now - last.at < FRESH_MS) return last.record;
    this.#reads.delete(id);
    this.#forgetOld(now);
    const read = { record: this.#store.get(id), at: now };
    this.#reads.set(id, read);
    read.record.then(
      (record) => {
        if (record === undefined) this.#forget(id, read);
      },
      () => this.#reads.clear(),
    );
    return read.record;
  }

  add(record: New): Promise<boolean> {
    return this.#forgetAfter(this.#recordId(record), this.#store.add(record));
  }

  replace(expected: Stored, change: Partial<New>): Promise<boolean> {
    return this.#forgetAfter(this.#recordId(expected), this.#store.replace(expected, change));
  }

  delete(id: string): Promise<boolean> {
    return this.#forgetAfter(id, this.#store.delete(id));
  }

  async list(options?: PageOptions): Promise<Page<Stored>> {
    return this.#store.list(readPageOptions(options));
  }

  /** Drops the record after the change, even one that failed: it may have been read before this or a rival change. */
  #forgetAfter(id: string, change: Promise<boolean>): Promise<boolean> {
    return change.finally(() => this.#reads.delete(id));
  }

  #forget(id: string, read: CachedRead<Stored>): void {
    if (this.#reads.get(id) === read) this.#reads.delete(id);
  }

  #forgetOld(now: number): void {
    for (const [id, { at }] of this.#reads) {
      if (now - at < FRESH_MS && this.#reads.size < MAX_RECORDS) return;
      this.#reads.delete(id);
    }
  }
}

/**
 * The keys of another store, each read at most once a second, for services that verify many OTPs. Changes by other
 * processes, such as disabling, deleting or resealing a key, take effect within one second; changes through this store
 * take effect at once. A read that fails drops the whole cache. Keeps up to 2,000 records, with their secrets, in memory.
 */
export class CachedKeyStore extends CachedRecords<KeyRecord, NewKey> implements KeyStore {
  constructor(store: KeyStore) {
    super(store, ({ publicId }) => publicId);
  }
}

/** The clients of another store, cached as {@link CachedKeyStore} caches keys. */
export class CachedClientStore extends CachedRecords<ClientRecord, NewClient> implements ClientStore {
  constructor(store: ClientStore) {
    super(store, ({ id }) => id);
  }
}
